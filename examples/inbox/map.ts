/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * A small map around a place: the outline of the land and a grid. No tiles, no requests: no server is told where the
 * customer is.
 */

import type { WhatsAppLocation } from "../../cloud_api/messages.ts";
import { makeSvg } from "./elements.ts";
import { LAND } from "./land.ts";

/** Units of the outline in a degree. */
const DEGREE = 5;
/** Section of the map that is shown, in degrees. */
const WIDTH = 48;
const HEIGHT = 24;
const GRID = 10;
/** The height of the pin. */
const PIN = 5;

/** Draws the map; `undefined` if the coordinates are none. */
export function drawMap({ latitude, longitude }: WhatsAppLocation): SVGElement | undefined {
  if (!(Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180)) return undefined;
  const left = longitude - WIDTH / 2;
  // At the poles the place is off the middle, and the map still ends at the pole.
  const top = Math.min(Math.max(latitude, -90 + HEIGHT / 2), 90 - HEIGHT / 2) + HEIGHT / 2;
  const box = [left, -top, WIDTH, HEIGHT].map((degrees) => degrees * DEGREE).join(" ");
  const map = makeSvg("svg", { viewBox: box, class: "map", role: "img" });
  map.setAttribute("aria-label", `Map around ${formatPlace(latitude, longitude)}`);
  // Beyond the date line the world begins anew.
  for (const turn of [-360, 0, 360]) {
    map.append(makeSvg("path", { d: LAND, class: "land", transform: `translate(${turn * DEGREE} 0)` }));
  }
  map.append(makeSvg("path", { d: drawGrid(left, top), class: "grid" }), drawPin(longitude, latitude));
  return map;
}

function drawGrid(left: number, top: number): string {
  let path = "";
  for (let x = Math.ceil(left / GRID) * GRID; x < left + WIDTH; x += GRID) {
    path += `M${x * DEGREE} ${-top * DEGREE}v${HEIGHT * DEGREE}`;
  }
  for (let y = Math.ceil((top - HEIGHT) / GRID) * GRID; y < top; y += GRID) {
    path += `M${left * DEGREE} ${-y * DEGREE}h${WIDTH * DEGREE}`;
  }
  return path;
}

function drawPin(longitude: number, latitude: number): SVGElement {
  // Near the pole there is no room above.
  const turn = latitude > 90 - PIN ? " rotate(180)" : "";
  const at = `translate(${longitude * DEGREE} ${-latitude * DEGREE})${turn}`;
  const drop = makeSvg("path", { d: "M0 0C-3-6-8-9-8-15a8 8 0 0 1 16 0c0 6-5 9-8 15z", class: "pin" });
  return makeSvg("g", { transform: at }, drop, makeSvg("circle", { cy: -15, r: 3, class: "pin-hole" }));
}

/** Coordinates as people write them: 50.9413° N, 6.9583° E. */
export function formatPlace(latitude: number, longitude: number): string {
  const format = (degrees: number, [plus, minus]: string): string =>
    `${Math.abs(degrees).toFixed(4)}° ${degrees < 0 ? minus : plus}`;
  return `${format(latitude, "NS")}, ${format(longitude, "EW")}`;
}
