/**
 * Health checks of load balancers: a path of their own, answered before any other check, without a record in the log.
 *
 * It tells if the process takes requests, and nothing about what it depends on: a balancer that takes a node away for
 * an outage that all nodes share would take all of them.
 *
 * @module
 */

import { wantsWebSocket } from "../protocol/handshake.ts";
import type { HeaderFields, RequestLine } from "../protocol/head.ts";

/**
 * Tells health checks from other requests.
 *
 * @param line The request line.
 * @param fields The header fields.
 * @param healthPath The path of health checks; "": none.
 * @returns `true` for GET and HEAD of the path, unless it is a handshake.
 */
export function isHealthCheck(line: RequestLine, fields: HeaderFields, healthPath: string): boolean {
  if (healthPath === "" || line.path !== healthPath) return false;
  return (line.method === "GET" || line.method === "HEAD") && !wantsWebSocket(fields);
}

/**
 * Answers a health check.
 *
 * @param stopping `true` if the server stops.
 * @returns 200, or 503 while the server stops.
 */
export function healthResponse(stopping: boolean): Response {
  const headers = { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" };
  return new Response(stopping ? "stopping" : "ok", { status: stopping ? 503 : 200, headers });
}
