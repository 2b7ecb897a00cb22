"""Every setting of every command, mistyped in every way: refused with one line, before anything runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

import pytest

from harness.front.words import parse, parse_each
from harness.model.declared import command_table
from harness.model.faults import fault_table
from harness.model.spec import KERNEL_DIR, UsageError
from harness.model.values import MODE_MAX, MODE_MIN, Flag, Integer, Number, ValueKind
from harness.settings import DECLARED, POSITIONAL, Setting, settings_of

PAIRS = [(command, setting) for command in command_table() for setting in settings_of(command).values()]


def named(wanted: Callable[[Setting], bool]) -> list[object]:
    """Parameters of a test over some settings of every command."""
    return [pytest.param(name, one, id=f"{name}-{one.name}") for name, one in PAIRS if wanted(one)]


EVERY = named(lambda one: True)
LINE_MAX = 400


def refused(*words: str) -> str:
    with pytest.raises(UsageError) as raised:
        parse(list(words))
    said = str(raised.value)
    assert "\n" not in said and 0 < len(said) <= LINE_MAX
    return said


def first_words(command: str) -> list[str]:
    means = POSITIONAL.get(command)
    return [command, means.choices[0]] if means and means.choices else [command]


def wrong_value(kind: ValueKind) -> str:
    """A value that this kind cannot have."""
    if isinstance(kind, (Number, Integer)):
        return f"{kind.high + 1:.0f}" if kind.high < 10**11 else "x"
    return "\x01\ud800" if not kind.choices else "nonesuch"


@pytest.mark.parametrize(("command", "setting"), EVERY)
@pytest.mark.slow
def test_a_setting_in_lower_case_is_refused_with_the_right_one(command: str, setting: Setting) -> None:
    said = refused(*first_words(command), f"{setting.name.lower()}={setting.example}")
    assert f"did you mean {setting.name}={setting.example}" in said or len(setting.name) == 1


@pytest.mark.parametrize(("command", "setting"), named(lambda one: len(one.name) > 2))
@pytest.mark.slow
def test_a_setting_with_a_letter_missing_is_refused_with_the_right_one(command: str, setting: Setting) -> None:
    name = setting.name[:-2] + setting.name[-1]
    if name in settings_of(command) or any(row.name == name for row in DECLARED):
        pytest.skip(f"{name} is a setting as well")
    assert "did you mean" in refused(*first_words(command), f"{name}={setting.example}")


@pytest.mark.parametrize(("command", "setting"), EVERY)
@pytest.mark.parametrize("value", ["", "  ", "\t"])
@pytest.mark.slow
def test_an_empty_value_is_refused(command: str, setting: Setting, value: str) -> None:
    assert f"{setting.name}=: no value" in refused(*first_words(command), f"{setting.name}={value}")


@pytest.mark.parametrize(("command", "setting"), EVERY)
@pytest.mark.slow
def test_a_setting_given_twice_is_refused(command: str, setting: Setting) -> None:
    word = f"{setting.name}={setting.example}"
    assert "given twice" in refused(*first_words(command), word, word)


@pytest.mark.parametrize(("command", "setting"), named(lambda one: one.kind.shape[:1] != "a"))
@pytest.mark.slow
def test_a_wrong_value_is_refused(command: str, setting: Setting) -> None:
    assert setting.name in refused(*first_words(command), f"{setting.name}={wrong_value(setting.kind)}")


@pytest.mark.parametrize(("command", "setting"), named(lambda one: len(one.kind.choices) > 2))
def test_a_mistyped_value_is_answered_with_the_right_one(command: str, setting: Setting) -> None:
    choice = max(setting.kind.choices, key=len)
    if len(choice) > 3:
        assert f"did you mean {setting.name}=" in refused(
            *first_words(command), f"{setting.name}={choice[:-2]}{choice[-1]}"
        )


@pytest.mark.parametrize(("command", "setting"), EVERY)
@pytest.mark.slow
def test_every_example_and_default_is_valid(command: str, setting: Setting) -> None:
    assert setting.kind.parse(setting.example) is not None
    if setting.default:
        assert setting.kind.parse(setting.default) is not None


@pytest.mark.parametrize(
    "value",
    ['QEMU_ARGS="', "OPTS=seed=²", "MODE=²x2", "MODE=3840x2160", "RANDOM_STATE=" + "9" * 5000, "BUDGET=" + "9" * 5000]
    + [
        "KERNEL=/" + "x" * 300,
        "BUDGET=nan",
        "BUDGET=inf",
        "BUDGET=1e3",
        "BUDGET=-5",
        "BASELINE=../x",
        "BASELINE=/etc",
        "CC=gcc $(id)",
    ]
    + ["OPTS=seed=1 seed=2", "OPTS=sede=1", "OPTS=blk", "STAGES=window,window", "STAGES=", "MODE=1x1", "VIRGL=2"]
    + ["\udcff=1", "A=1", "=", "=x", "--", "-x", "--jsn", "", "\0", "results/latest", "FAULT"],
)
def test_nonsense_is_one_line(value: str) -> None:
    refused("perf", value)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("perf fault=flip_pixel", "did you mean FAULT=flip_pixel?"),
        ("perf SEED=7", "did you mean RANDOM_STATE=7?"),
        ("explain seed-1-logged", "did you mean NAME=case-1-logged?"),
        ("perf flip_pixel", "did you mean FAULT=flip_pixel?"),
        ("prf", "did you mean perf?"),
        ("perf KERNEL=a ISO=b", "ISO=b has no meaning beside KERNEL=a"),
        ("perf KERNEL=a BARRIER=linux", "BARRIER=linux has no meaning beside KERNEL=a"),
        ("perf SLOW=20", "SLOW=20 has no meaning without FAULT=slow_draw"),
        ("perf OPTS=slow=20", "no meaning without FAULT=slow_draw"),
        ("perf FAULT=tear SLOW=20", "no meaning without FAULT=slow_draw"),
        ("perf FAULT=blk_timeout", "needs a disk to load: add OPTS=blk=8"),
        ("perf FAULT=blk_corrupt OPTS=blk=0", "needs a disk to load"),
        ("perf FAULT=no_virgl", "needs the GL device: add VIRGL=1"),
        ("perf DRAW=gpu", "DRAW=gpu needs the GL device: add VIRGL=1"),
        ("boot DRAW=gpu VIRGL=0", "DRAW=gpu needs the GL device: add VIRGL=1"),
        ("ab A=default B=DRAW=gpu", "DRAW=gpu needs the GL device: add VIRGL=1"),
        ("acceptance DRAW=gpu", "the 2D device too"),
        ("suites DRAW=gpu", "needs the GL device, on which suites starts no kernel"),
        ("perf FAULT=flip_pixel DRAW=gpu VIRGL=1", "FAULT=flip_pixel changes pixels that the kernel draws"),
        ("perf FAULT=refused_shader VIRGL=1", "needs shaders: add DRAW=gpu VIRGL=1"),
        ("acceptance FAULT=refused_shader", "needs shaders, which acceptance has not: use 'make perf'"),
        ("perf MODE=640x480 OPTS=mode=320x240", "MODE is given twice"),
        ("perf STAGES=window PICTURES=5", "PICTURES=5 has no meaning beside STAGES=window"),
        ("perf REASON=x", "perf takes no REASON; approve, history do"),
        ("perf A=x", "perf takes no A; ab, compare do"),
        ("perf CC=gccc", "CC=gccc: no such compiler here; did you mean CC=gcc?"),
        ("explain nonesuch", "'make help C=explain' lists them"),
        ("ab A=x B=", "B=: no value; give a kernel in words"),
        ("doctor --json", "there is --help"),
        ("perf MODE=3840x2160", "between 320x240 and 1920x1080"),
        ("approve", "approve needs REASON="),
        ("bisect GOOD=a", "bisect needs BAD=HEAD (a revision that is slow)"),
        ("bench LOG=none", "LOG=none: no such setting"),
        ("ab A=x C=y", "ab compares A with B, C"),
        ("ab B=x", "ab compares A with B, C"),
        ("history exprt", "did you mean export?"),
        ("history findings KEEP=100", "KEEP=100 has no meaning for history findings"),
        ("history acknowledge FINDING=3", "needs REASON="),
        ("calibrate FROM=x LAUNCHES=9", "LAUNCHES=9 has no meaning beside FROM=x"),
        ("doctor now", "doctor takes nothing"),
        ("perf ISO=x OPTS=seed=3", "OPTS=seed=3 has no meaning beside ISO=x"),
        ("perf BASELINE_STORE=x", "BASELINE_STORE=x needs TARGET="),
        ("perf STAGES=window QUIET=wait", "QUIET=wait has no meaning beside STAGES=window"),
        ("ab STAGES=window,pictures SMALLEST=0.02", "SMALLEST=0.02 has no meaning beside STAGES=window,pictures"),
        ("perf QEMU_ARGS=-S", "QEMU_ARGS: -S is for the harness to set"),
        ("ab A=default B=LOG=none QEMU_ARGS=--daemonize", "QEMU_ARGS: --daemonize is for the harness to set"),
        ("perf OPTS=warmup=1000000000", "warmup=1000000000: must lie between 0 and 1000"),
        ("perf OPTS=first=4294967295", "first=4294967295: must lie between 0 and 4000000000"),
        ("perf OPTS=pace=1", "OPTS=pace=1: perf measures 10 frames/s or more, or as fast as possible with pace=0"),
        ("perf OPTS='warmup=1000 pace=10'", "OPTS=warmup=1000 takes 100 s at pace=10: at most 50"),
        ("perf QEMU_ARGS='-m 1'", "QEMU_ARGS: -m 1: the kernel needs 64 MiB or more"),
        ("ab A=default B=LOG=none QEMU_ARGS='-m slots=2,size=512k'", "the kernel needs 64 MiB or more"),
        ("perf OPTS=load=1", "OPTS=load=1 needs a second CPU"),
        ("ab A=a.elf B=b.elf LOG=frame", "LOG=frame has no meaning for kernels that are built already"),
        ("ab A=a.toml B=b.elf CC=clang", "CC=clang has no meaning for kernels that are built already"),
        ("ab TARGET=mine", "TARGET=mine: ab compares two targets or more"),
        ("ab TARGET=mine,mine", "TARGET=mine,mine: ab compares two targets or more"),
        ("ab A=LOGG=frame B=default", "LOGG"),
        ("calibrate FROM=x QUIET=wait", "QUIET=wait has no meaning beside FROM=x"),
        ("calibrate FOREIGN=1 FILL=pixel", "FILL=pixel has no meaning beside FOREIGN=1"),
        ("nightly CLUSTER=tls://a:1 WORKERS=2", "WORKERS=2 has no meaning beside CLUSTER=tls://a:1"),
        ("nightly CLUSTER=local INSECURE=1", "INSECURE=1 has no meaning beside CLUSTER=local"),
        ("nightly BUDGET=3600 MINUTES=60", "MINUTES=60 has no meaning beside BUDGET=3600"),
        ("nightly CELL_SECONDS=5", "CELL_SECONDS=5 is too small"),
        ("proof LOAD_AT=riscv64@0x80200000", "LOAD_AT=riscv64@0x80200000 needs KERNEL="),
        ("proof TYPE=help", "TYPE=help needs KERNEL="),
        ("suites SUITE=virtque", "did you mean SUITE=virtqueue?"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(line: str, says: str) -> None:
    assert says in refused(*shlex.split(line))


PAIRED = [
    (name, one, other)
    for name in command_table()
    for number, one in enumerate(settings_of(name).values())
    for other in list(settings_of(name).values())[number + 1 :]
]


def outcome(words: list[str]) -> str:
    """What the parser says; empty where it takes the words."""
    try:
        parse(words)
    except UsageError as error:
        return str(error)
    return ""


@pytest.mark.slow
def test_two_settings_are_taken_or_refused_alike_in_either_order() -> None:
    """Whichever stands first; and what is refused names one of the two, or what the command lacks."""
    for command, one, other in PAIRED:
        words = [f"{setting.name}={setting.example}" for setting in (one, other)]
        said = [outcome([*first_words(command), *order]) for order in (words, words[::-1])]
        assert bool(said[0]) == bool(said[1]), (command, words)
        for line in filter(None, said):
            names = (one.name, other.name, *(row.name for row in settings_of(command).values() if row.required))
            assert "\n" not in line and len(line) <= LINE_MAX, (command, words)
            assert any(name in line for name in (*names, f"{command} needs", f"{command} compares")), (words, line)


def test_words_of_a_list_are_each_answered_with_the_right_one() -> None:
    assert "did you mean STAGES=window,pictures?" in refused("perf", "STAGES=window, pictures")
    assert "did you mean STAGES=timing,exact?" in refused("perf", "STAGES=timng,exact")


@pytest.mark.parametrize(
    "line",
    [
        "perf OPTS='load=1 blk=8'",
        "ab A=HEAD B=b.elf LOG=frame",
        "nightly CLUSTER=tcp://127.0.0.1:1 INSECURE=1",
        "nightly CLUSTER=local WORKERS=2 BUDGET=7200",
        "perf FAULT=slow_draw SLOW=20",
        "perf FAULT=blk_timeout OPTS=blk=8",
        "perf FAULT=no_virgl VIRGL=1",
        "perf DRAW=gpu VIRGL=1",
        "perf DRAW=gpu FAULT=tear VIRGL=1",
        "ab A=FAULT=blank B=DRAW=gpu VIRGL=1",
        "build DRAW=gpu",
        "perf KERNEL=a ARCH=aarch64 OPTS=seed=3",
        "build FAULT=blk_timeout",
        "acceptance FAULT=no_virgl",
        "bisect STEP=x",
        "history export x",
    ],
)
def test_settings_that_fit_are_taken(line: str) -> None:
    parse(shlex.split(line))


RUN_KERNELS = ("perf", "ab", "explain", "boot", "acceptance", "latency", "bisect")
BROUGHT = {("acceptance", "blk="), ("latency", "latency"), ("acceptance", "VIRGL=1")}
"""What a command gives its kernel unasked."""


@pytest.mark.parametrize("command", RUN_KERNELS)
@pytest.mark.parametrize("fault", fault_table())
@pytest.mark.slow
def test_a_fault_has_what_it_needs_or_is_refused_with_what_is_missing(command: str, fault: str) -> None:
    need = fault_table()[fault].needs
    words = [command, f"FAULT={fault}", *(["GOOD=a", "BAD=b"] if command == "bisect" else [])]
    if need in ("", "pixels") or (command, need) in BROUGHT:
        parse(words)
        return
    said = refused(*words)
    assert f"FAULT={fault} needs" in said
    missing = re.search(r": add (.+?)(?:, or use|$)", said)
    if missing:
        parse([*words, *missing[1].split()])
    else:
        assert f"which {command} has not: use 'make perf'" in said


def test_a_fault_in_an_arm_gives_slow_its_meaning() -> None:
    parse(["ab", "A=FAULT=slow_draw", "B=baseline", "SLOW=5"])
    assert "FAULT=slow_draw" in refused("ab", "A=LOG=none", "B=baseline", "SLOW=5")


def test_what_an_arm_draws_with_counts_for_its_fault() -> None:
    assert "FAULT=blank changes pixels" in refused("ab", "A=default", "B=DRAW=gpu FAULT=blank", "VIRGL=1")
    assert "FAULT=blank changes pixels" in refused("ab", "A=default", "B=FAULT=blank", "DRAW=gpu", "VIRGL=1")


def test_what_faults_need_is_read_from_the_kernel() -> None:
    needs = {name: fault.needs for name, fault in fault_table().items() if fault.needs}
    assert needs == {name: "blk=" for name in ("blk_corrupt", "blk_timeout", "config_changes")} | {
        "no_virgl": "VIRGL=1",
        "late_input": "latency",
        "cursor_race": "CURSOR=hw",
        "refused_shader": "DRAW=gpu",
        "old_pitch": "modes",
        "one_head": "HEADS=2",
    } | {name: "pixels" for name in ("wrong_stride", "flip_pixel", "shift_colour", "blank", "slow_draw")}


def test_the_limits_of_a_mode_are_the_scene_s() -> None:
    text = (KERNEL_DIR / "scene" / "roulette.h").read_text(encoding="utf-8")
    for name, value in zip(("WIDTH_MIN", "HEIGHT_MIN", "WIDTH_MAX", "HEIGHT_MAX"), (*MODE_MIN, *MODE_MAX)):
        assert f"#define ROULETTE_{name} {value}u\n" in text


def test_the_words_that_were_given_can_be_pasted_again() -> None:
    arguments = parse(["ab", "A=HEAD~3 LOG=frame", "B=it's", "BUDGET=60"])
    assert arguments.again == "make ab 'A=HEAD~3 LOG=frame' 'B=it'\"'\"'s' BUDGET=60"


def test_getters_know_the_defaults() -> None:
    arguments = parse(["perf", "BUDGET=90s", "OPTS=blk=8 seed=3", "MODE=640x480", "QEMU_ARGS=-smp '2'"])
    assert arguments.number("BUDGET") == 90 and parse(["perf"]).number("BUDGET") == 60
    assert arguments.several("QEMU_ARGS") == ("-smp", "2") and parse(["perf"]).several("QEMU_ARGS") == ()
    params = arguments.run_params()
    assert (params.blk, params.seed, params.mode) == (8, 3, (640, 480))
    assert arguments.path("KERNEL") is None and not arguments.flag("VIRGL") and arguments.text("CC") == "gcc"


@pytest.mark.parametrize("kind", [Number(1, 2, "s"), Integer(1, 2), Flag()])
def test_digits_of_other_scripts_are_no_numbers(kind: ValueKind) -> None:
    for text in ("²", "١", "1\u0661", "１"):
        with pytest.raises(ValueError):
            kind.parse(text)


def test_several_values_are_run_each_by_itself() -> None:
    each = parse_each(["perf", "ARCH=all", "BARRIER=linux,acquire_load", "BUDGET=300"])
    assert [one.switches for one in each] == [
        {"ARCH": arch, "BARRIER": barrier}
        for arch in ("x86_64", "aarch64", "riscv64")
        for barrier in ("linux", "acquire_load")
    ]
    [through] = parse_each(["perf", "MODE=800x600,801x601"])
    assert through.modes() == ((800, 600), (801, 601)), "several sizes are one run"
    assert {one.number("BUDGET") for one in each} == {50} and len(parse_each(["perf"])) == 1


@pytest.mark.parametrize(
    "word",
    ["BARRIER=linux,", "BARRIER=linux,linux", "ARCH=x86_64,arm", "ARCH=", "BARRIER=a,b", "MODE=all", "MODE=800x600,"],
)
def test_values_that_are_none_are_refused_before_any_run(word: str) -> None:
    with pytest.raises(UsageError, match=word.partition("=")[0]):
        parse_each(["perf", word])
