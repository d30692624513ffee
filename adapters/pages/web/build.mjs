// Builds the pages: one folder per page, assets named by their content, each also compressed.
//
// node build.mjs            → ../built        (what adapters/pages/routes.py serves)
// node build.mjs --tests    → ../built-tests  (what `node --test` runs)
//
// A page is a folder src/<page>/ with main.ts and page.html; `{{script}}` and `{{style}}` in it
// become the hashed addresses. A page with worker.ts gets a service worker /<page>/worker.js that knows
// every address the page needs (SHELL) and is named by the digest of them all (RELEASE).

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = import.meta.dirname;
const source = path.join(here, "src");
const SHARED = {
  bundle: true,
  charset: "utf8",
  format: "esm",
  legalComments: "none",
  logLevel: "warning",
  target: ["es2022", "chrome105", "safari16"],
};

async function pages() {
  const folders = await readdir(source, { withFileTypes: true });
  return folders
    .filter((one) => one.isDirectory() && existsSync(path.join(source, one.name, "page.html")))
    .map((one) => one.name);
}

async function buildPages() {
  const out = path.join(here, "..", "built");
  await rm(out, { recursive: true, force: true });
  const names = await pages();
  const result = await build({
    ...SHARED,
    absWorkingDir: here,
    entryPoints: Object.fromEntries(names.map((page) => [page, `src/${page}/main.ts`])),
    entryNames: "[name]-[hash]",
    assetNames: "[name]-[hash]",
    chunkNames: "part-[hash]",
    splitting: true,
    minify: true,
    loader: { ".wasm": "file", ".svg": "file" },
    publicPath: "/assets",
    metafile: true,
    outdir: path.join(out, "assets"),
  });
  for (const page of names) {
    await buildPage(page, result.metafile, out);
  }
  await compress(out);
}

/** The addresses of a page's own script and style, and of every part these load at once. */
function assetsOf(page, metafile) {
  const outputs = Object.entries(metafile.outputs);
  const own = outputs.find(([, one]) => one.entryPoint === `src/${page}/main.ts`);
  const script = path.basename(own[0]);
  const style = own[1].cssBundle && path.basename(own[1].cssBundle);
  const loaded = own[1].imports
    .filter((one) => !one.external)
    .map((one) => path.basename(one.path));
  return {
    script,
    style,
    all: [script, style, ...loaded].filter(Boolean).map((one) => `/assets/${one}`),
  };
}

async function buildPage(page, metafile, out) {
  const folder = path.join(source, page);
  const target = path.join(out, page);
  await mkdir(target, { recursive: true });
  const { script, style, all } = assetsOf(page, metafile);
  const html = (await readFile(path.join(folder, "page.html"), "utf8"))
    .replaceAll("{{script}}", `/assets/${script}`)
    .replaceAll("{{style}}", `/assets/${style}`);
  await writeFile(path.join(target, "index.html"), html);
  const still = (await readdir(folder)).filter((one) => /\.(webmanifest|png|svg)$/.test(one));
  for (const file of still) {
    await copyFile(path.join(folder, file), path.join(target, file));
  }
  if (!existsSync(path.join(folder, "worker.ts"))) return;
  const shell = [`/${page}/`, ...still.map((file) => `/${page}/${file}`), ...all];
  const digest = createHash("sha256").update(html);
  for (const address of shell.slice(1)) digest.update(await readFile(path.join(out, address)));
  await build({
    ...SHARED,
    format: "iife",
    minify: true,
    entryPoints: [path.join(folder, "worker.ts")],
    outfile: path.join(target, "worker.js"),
    define: {
      SHELL: JSON.stringify(shell),
      RELEASE: JSON.stringify(digest.digest("hex").slice(0, 16)),
    },
  });
}

async function compress(out) {
  for (const found of await readdir(out, { recursive: true, withFileTypes: true })) {
    if (!found.isFile() || /\.(png|br|gz)$/.test(found.name)) continue;
    const file = path.join(found.parentPath, found.name);
    const bytes = await readFile(file);
    const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
    await writeFile(`${file}.br`, brotliCompressSync(bytes, quality));
    await writeFile(`${file}.gz`, gzipSync(bytes, { level: 9 }));
  }
}

async function buildTests() {
  const out = path.join(here, "..", "built-tests");
  await rm(out, { recursive: true, force: true });
  const found = await readdir(source, { recursive: true });
  await build({
    ...SHARED,
    entryPoints: found
      .filter((one) => one.endsWith(".test.ts"))
      .map((one) => path.join(source, one)),
    outdir: out,
    outbase: source,
    outExtension: { ".js": ".mjs" },
    platform: "node",
    target: "node20",
    sourcemap: "inline",
  });
}

await (process.argv.includes("--tests") ? buildTests() : buildPages());
