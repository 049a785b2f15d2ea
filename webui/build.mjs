// build: turns src/ into dist/, the folder the coordinator serves.
//
// Names under dist/assets carry a hash of their content, so that they may be cached for ever; index.html names them and
// is the only file that must be asked for again. Every text file also gets a .gz beside it. `--watch` rebuilds on change.
import * as esbuild from "esbuild";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = dirname(fileURLToPath(import.meta.url));
const out = join(root, "dist");
const common = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2021"],
  legalComments: "none",
  metafile: true,
  outdir: "dist/assets",
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  jsx: "automatic",
  jsxImportSource: "preact",
  logLevel: "warning",
};

function entry(result, source, kind) {
  for (const [path, info] of Object.entries(result.metafile.outputs)) {
    if (info.entryPoint === source) return kind === "css" ? info.cssBundle : path;
  }
  throw new Error(`no output for ${source}`);
}

function publicName(path) {
  return path.replace(/^dist/, "");
}

function compress(dir) {
  for (const item of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, item.name);
    if (item.isDirectory()) compress(path);
    else if (/\.(js|css|html|svg|json)$/.test(item.name)) writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
  }
}

async function build() {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(join(out, "assets"), { recursive: true });
  const hasher = await esbuild.build({ ...common, entryPoints: ["src/api/hasher.ts"] });
  const app = await esbuild.build({
    ...common,
    entryPoints: ["src/main.tsx"],
    splitting: true,
    define: { HASHER_URL: JSON.stringify(publicName(entry(hasher, "src/api/hasher.ts", "js"))) },
  });
  const icon = readFileSync(join(root, "src/icon.svg"));
  const iconName = `/assets/icon-${createHash("sha256").update(icon).digest("hex").slice(0, 8)}.svg`;
  writeFileSync(join(out, iconName), icon);
  const page = readFileSync(join(root, "src/index.html"), "utf8")
    .replace("{{script}}", publicName(entry(app, "src/main.tsx", "js")))
    .replace("{{style}}", publicName(entry(app, "src/main.tsx", "css")))
    .replace("{{icon}}", iconName);
  writeFileSync(join(out, "index.html"), page);
  compress(out);
  for (const [path, info] of Object.entries(app.metafile.outputs)) {
    const bytes = readFileSync(join(root, `${path}.gz`)).length;
    console.log(`${path}  ${(info.bytes / 1000).toFixed(1)} kB, ${(bytes / 1000).toFixed(1)} kB compressed`);
  }
}

await build();
if (process.argv.includes("--watch")) {
  const { watch } = await import("node:fs");
  let timer;
  watch(join(root, "src"), { recursive: true }, () => {
    clearTimeout(timer);
    timer = setTimeout(() => build().catch((e) => console.error(e.message)), 100);
  });
}
