// Runs what `build.mjs --tests` has built. Node 20 and later name test files in different ways on the
// command line; asked from within, all take a list.

import { readdir } from "node:fs/promises";
import path from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";

const built = path.join(import.meta.dirname, "..", "built-tests");
const found = await readdir(built, { recursive: true });
const files = found.filter((one) => one.endsWith(".test.mjs")).map((one) => path.join(built, one));
if (files.length === 0) throw new Error("no tests were built");
const tests = run({ files, concurrency: 2 });
tests.on("test:fail", () => {
  process.exitCode = 1;
});
tests.compose(new spec()).pipe(process.stdout);
