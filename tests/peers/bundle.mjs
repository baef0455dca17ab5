// Bundles a module for a page, minified, with a bundler of the folder where packages are:
//   bundle.mjs PACKAGES BUNDLER ENTRY OUTPUT
import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname } from "node:path";
import { pathToFileURL } from "node:url";

const [packages, bundler, entry, output] = process.argv.slice(2);
const { resolve } = createRequire(`${packages}/package.json`);

/** Resolves with the names of a package, which may be an old one that exports one object. */
async function load(name) {
  const found = await import(pathToFileURL(resolve(name)).href);
  return { ...found.default, ...found };
}

const BUNDLERS = {
  async esbuild() {
    const { build } = await load("esbuild");
    await build({
      entryPoints: [entry],
      outfile: output,
      bundle: true,
      minify: true,
      format: "esm",
      platform: "browser",
      logLevel: "silent",
    });
  },
  /** Writes the bytes that each module has in the script, instead of the script. */
  async parts() {
    const { build } = await load("esbuild");
    const { metafile } = await build({
      entryPoints: [entry],
      outfile: output,
      bundle: true,
      minify: true,
      format: "esm",
      platform: "browser",
      metafile: true,
      write: false,
    });
    const [{ inputs }] = Object.values(metafile.outputs);
    const parts = Object.entries(inputs).map(([path, { bytesInOutput }]) => [path, bytesInOutput]);
    await writeFile(output, JSON.stringify(Object.fromEntries(parts)));
  },
  async rollup() {
    const { rollup } = await load("rollup");
    const { nodeResolve } = await load("@rollup/plugin-node-resolve");
    const { minify } = await load("terser");
    const bundle = await rollup({ input: entry, plugins: [nodeResolve({ browser: true })] });
    const { output: [{ code }] } = await bundle.generate({ format: "es" });
    await writeFile(output, (await minify(code, { module: true })).code);
  },
  async vite() {
    const { build } = await load("vite");
    await build({
      root: dirname(entry),
      configFile: false,
      logLevel: "silent",
      build: {
        lib: { entry, formats: ["es"], fileName: () => basename(output) },
        outDir: dirname(output),
        emptyOutDir: false,
        minify: "esbuild",
        rollupOptions: { output: { plugins: [await minifyFully()] } },
      },
    });
  },
  async webpack() {
    const { webpack } = await load("webpack");
    const compiler = webpack({
      mode: "production",
      entry,
      target: ["web", "es2022"],
      output: { path: dirname(output), filename: basename(output) },
      performance: false,
    });
    await new Promise((done, failed) => {
      compiler.run((error, stats) => {
        if (error !== null) failed(error);
        else if (stats.hasErrors()) failed(new Error(stats.toString({ all: false, errors: true })));
        else done();
      });
    });
  },
};

/** A library's white space stays with Vite, which has other minifiers for it; a page's does not. */
async function minifyFully() {
  const { transform } = await load("esbuild");
  return { name: "minify", renderChunk: (code) => transform(code, { minify: true, format: "esm" }) };
}

await BUNDLERS[bundler]();
