/// <reference lib="dom" />
/**
 * Line drawings for cards: they look the same wherever no font has them.
 */

import { makeSvg } from "./elements.ts";

const DRAWINGS = {
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15 9h.01",
  video: "M3 6h12v12H3zM15 10l6-3v10l-6-3",
  sticker: "M5 4h14v10l-6 6H5zM13 20v-6h6",
  audio: "M4 10v4M8 6v12M12 9v6M16 4v16M20 10v4",
  document: "M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6",
  contact: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c0-5 4-7 8-7s8 2 8 7",
  order: "M3 4h3l2 11h10l2-8H7M9 20h.01M17 20h.01",
};

/** Names of the icons. */
export type IconName = keyof typeof DRAWINGS;

/** Draws one; it says nothing that the text beside it does not. */
export function drawIcon(name: IconName): SVGElement {
  const attributes = { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" };
  return makeSvg("svg", attributes, makeSvg("path", { d: DRAWINGS[name] }));
}
