/**
 * Parameters of a template, from the command line.
 *
 * @module
 */

import { UsageError } from "./io.ts";
import { quote } from "../base/error_text.ts";
import { describe } from "../base/errors.ts";
import { isObject, type JsonObject } from "../cloud_api/json.ts";

/**
 * Makes the components of a template.
 *
 * @param params Values of `--param`.
 * @param json Value of `--components`.
 * @returns The components; `undefined` for a template without parameters.
 * @throws {UsageError} If both are given, names are mixed with values without a name, or the JSON is no array.
 */
export function templateComponents(params: readonly string[], json: string | undefined): JsonObject[] | undefined {
  if (json !== undefined) {
    if (params.length > 0) throw new UsageError("--param and --components cannot be used together");
    return parseComponents(json);
  }
  if (params.length === 0) return undefined;
  const parameters = params.map(parseParam);
  const named = parameters.filter(({ parameter_name }) => parameter_name !== undefined);
  const [other] = parameters.filter(({ parameter_name }) => parameter_name === undefined);
  if (named.length > 0 && other !== undefined) {
    throw new UsageError(`--param ${quote(String(other.text))} has no name, but others have: give all one, or none`);
  }
  const names = named.map(({ parameter_name }) => String(parameter_name));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new UsageError(`--param ${quote(twice)} is given twice`);
  return [{ type: "body", parameters }];
}

/** `name=value`, `=value`, or a value. Meta's names have small letters, digits and underscores. */
function parseParam(param: string): JsonObject {
  const at = param.indexOf("=");
  const name = param.slice(0, Math.max(at, 0));
  const isNamed = at > 0 && isName(name);
  const text = at === 0 ? param.slice(1) : isNamed ? param.slice(at + 1) : param;
  if (text === "") throw new UsageError(`--param ${quote(param)} is empty: Meta takes no empty parameter`);
  return { type: "text", ...(isNamed ? { parameter_name: name } : {}), text };
}

function isName(text: string): boolean {
  if (text[0]! < "a" || text[0]! > "z") return false;
  for (const char of text) {
    if (!((char >= "a" && char <= "z") || (char >= "0" && char <= "9") || char === "_")) return false;
  }
  return true;
}

function parseComponents(json: string): JsonObject[] {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new UsageError(`--components is no JSON: ${describe(error)}`);
  }
  const isList = Array.isArray(value) && value.every(isObject);
  if (isList) return value as JsonObject[];
  throw new UsageError(`--components is no array of objects: ${quote(json)}`);
}
