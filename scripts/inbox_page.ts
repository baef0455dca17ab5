/**
 * Makes the page of the live inbox from the files in `examples/inbox/`, and writes it into the library:
 *
 *   deno task inbox-page
 *
 * To be run after a change of these files, which a test sees, and before a release, so that the page has the client of
 * that release. `deno task pack` makes a page of its own for the package.
 */

import { writeFileSync } from "node:fs";
import { buildPage } from "../examples/inbox/page.ts";
import { digestSources, PAGE_MODULE, writePageModule } from "./inbox_page_module.ts";

const page = await buildPage();
const text = writePageModule(page, digestSources());
writeFileSync(new URL(`../${PAGE_MODULE}`, import.meta.url), text);
console.log(`${PAGE_MODULE}: a page of ${page.html.length} characters, in ${text.length}`);
