/**
 * Bundles `page.js` of the current folder into `dist/page.js`: `bundle_package.mjs vite|esbuild|webpack|rollup`. The bundlers
 * are those in `node_modules` of the folder, with the settings that a new project has. With `program`, it is bundled by
 * esbuild for a runtime that has the modules `node:`.
 */

import { createRequire } from "node:module";
import process from "node:process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const here = createRequire(pathToFileURL(join(process.cwd(), "index.js")));
const load = (name) => import(pathToFileURL(here.resolve(name)).href);
const [entry, dist, file] = [join(process.cwd(), "page.js"), join(process.cwd(), "dist"), "page.js"];

const BUNDLERS = {
  async vite() {
    const { build } = await load("vite");
    // A page that names the script, as `index.html` of a new project does. Without the code that old browsers need to
    // load modules early, which needs a document.
    const input = { page: join(process.cwd(), "index.html") };
    await build({
      logLevel: "warn",
      build: {
        outDir: dist,
        modulePreload: { polyfill: false },
        rollupOptions: { input, output: { entryFileNames: file } },
      },
    });
  },
  async esbuild() {
    const { build } = await load("esbuild");
    await build({ entryPoints: [entry], bundle: true, minify: true, format: "esm", outfile: join(dist, file) });
  },
  async program() {
    const { build } = await load("esbuild");
    await build({ entryPoints: [entry], bundle: true, format: "esm", platform: "node", outfile: join(dist, file) });
  },
  async webpack() {
    const { default: webpack } = await load("webpack");
    const settings = { mode: "production", entry, output: { path: dist, filename: file } };
    await new Promise((resolve, reject) => {
      webpack(settings, (error, stats) => {
        if (error !== null || stats.hasErrors() || stats.hasWarnings()) reject(error ?? new Error(stats.toString()));
        else resolve();
      });
    });
  },
  async rollup() {
    const { rollup } = await load("rollup");
    const { default: resolve } = await load("@rollup/plugin-node-resolve");
    const fail = (warning) => {
      throw new Error(warning.message);
    };
    const bundle = await rollup({ input: entry, plugins: [resolve({ browser: true })], onwarn: fail });
    await bundle.write({ file: join(dist, file), format: "es" });
    await bundle.close();
  },
};

await BUNDLERS[process.argv[2]]();
