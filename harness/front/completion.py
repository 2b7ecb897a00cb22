"""Completion for bash and zsh, written from the declarations: commands, settings, their values and options."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from harness.model.declared import command_table
from harness.settings import POSITIONAL, options_of, settings_of

SHELLS = ("bash", "zsh")

_SHARED = """\
_harness_words() {{
\tcase $1 in
{cases}
\t*) printf '%s\\n' {names} ;;
\tesac
}}
_harness_goals() {{
\tcase $1 in
{goals}
\tesac
\t_harness_words "$1" | grep -v '^-'
}}
"""
"""What both shells read."""

_BASH = """\
# Completion for 'make', where it is called in a checkout of this project, and for a 'harness' alias of ci/harness.
{shared}_harness() {{
\tlocal words=${{3:-_harness_words}} current line=${{COMP_LINE:0:COMP_POINT}} command= word
\tcurrent=${{line##*[[:space:]]}}
\tfor word in $line; do
\t\tcase " {known} " in *" $word "*) command=$word; [ "$word" = setup ] || break ;; esac
\tdone
\t[ "$command" != "$current" ] || command=
\tlocal IFS=$'\\n' prefix=${{current%"${{COMP_WORDS[COMP_CWORD]}}"}}
\tCOMPREPLY=($(compgen -W "$($words "$command")" -- "$current"))
\t[ "$COMP_WORDBREAKS" = "${{COMP_WORDBREAKS/=/}}" ] || [ "${{current/=/}}" = "$current" ] ||
\t\tCOMPREPLY=("${{COMPREPLY[@]#"${{current%%=*}}="}}")
\t[ "${{COMPREPLY[0]: -1}}" != = ] || compopt -o nospace
}}
_harness_make() {{
\tif [ -d harness/commands ]; then _harness "$1" "$2" _harness_goals; elif declare -F _make >/dev/null; then _make; fi
}}
complete -o default -F _harness_make make
complete -o default -F _harness harness
"""

_ZSH = """\
#compdef make harness
# Completion for 'make', where it is called in a checkout of this project, and for a 'harness' alias.
{shared}_harness() {{
\tlocal word command= from=_harness_words ; local -a offered
\t[[ $service != make ]] || from=_harness_goals
\t[[ $service != make || -d harness/commands ]] || {{ _make; return }}
\tfor word in ${{words[1,CURRENT-1]}}; do
\t\t[[ " {known} " != *" $word "* ]] || {{ command=$word; [[ $word == setup ]] || break }}
\tdone
\toffered=(${{(f)"$($from "$command")"}})
\tcompadd -S '' -- ${{(M)offered:#*=}}
\tcompadd -- ${{offered:#*=}}
}}
compdef _harness make harness
"""


def completion(shell: str) -> str:
    """A script to source: ``source <(python3 -m harness completion bash)``."""
    names = list(command_table())
    cases = "\n".join(
        f"\t{name}) printf '%s\\n' {' '.join(shlex.quote(word) for word in _words(name))} ;;" for name in names
    )
    goals = "\n".join(
        f"\t{goal}) printf '%s\\n' {' '.join(words)} ; return ;;" if words else f"\t{goal}) return ;;"
        for goal, words in goals_beside(names).items()
    )
    offered = f"\t'') printf '%s\\n' {' '.join(goals_beside(names))} ;;"
    template = {"bash": _BASH, "zsh": _ZSH}[shell]
    known = " ".join([*names, *goals_beside(names)])
    shared = _SHARED.format(cases=cases, names=" ".join(names), goals=f"{goals}\n{offered}")
    return template.format(shared=shared, known=known)


def goals_beside(commands: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """What make takes besides the commands, each with the words that may follow; a test compares the Makefile."""
    return {
        "setup": (*commands, "test", "check", "display", "arches"),
        "help": tuple(f"C={name}" for name in commands),
        **dict.fromkeys(("test", "test-full", "quick"), ("T=", "K=", "RUNS=", "SEED=", "CLUSTER=", "WORKERS=")),
        **dict.fromkeys(("check", "docs", "open", "clean"), ()),
    }


def _words(name: str) -> list[str]:
    """Everything that may follow a command: ``NAME=``, and also with each value where values can be listed."""
    words = []
    for setting in settings_of(name).values():
        words.append(f"{setting.name}=")
        words += [f"{setting.name}={value}" for value in setting.kind.choices]
    means = POSITIONAL.get(name)
    words += means.choices if means else ()
    return words + [f"--{option}" for option in options_of(name)] + ["--help"]
