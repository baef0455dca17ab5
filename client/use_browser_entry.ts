/**
 * Stands for the entries with sockets where a bundler builds for a page: the npm package names it under the condition
 * `browser`. A page gets one sentence, instead of errors about modules of Node.
 *
 * @module
 */

import { StateError } from "../base/errors.ts";

throw new StateError(
  "ERR_UNSUPPORTED",
  'A page has no sockets: import from "@tackline/websocket/browser", or "@tackline/websocket/browser-client"',
);
