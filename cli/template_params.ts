/**
 * Parameters of a template, from the command line.
 *
 * @module
 */

import { UsageError } from "./io.ts";
import { quote } from "../base/error_text.ts";
import { describe } from "../base/errors.ts";
import { isObject, type JsonObject } from "../cloud_api/json.ts";
import type { TemplateParameters } from "../cloud_api/template_components.ts";

/**
 * Makes the values of a template.
 *
 * @param params Values of `--param`.
 * @param json Value of `--components`.
 * @returns The values; none for a template without parameters.
 * @throws {UsageError} If both are given, names are mixed with values without a name, or the JSON is no array.
 */
export function templateValues(params: readonly string[], json: string | undefined): TemplateParameters {
  if (json !== undefined) {
    if (params.length > 0) throw new UsageError("--param and --components cannot be used together");
    return { components: parseComponents(json) };
  }
  if (params.length === 0) return {};
  const values = params.map(parseParam);
  const named = values.filter((value) => value.length === 2);
  const [other] = values.filter((value) => value.length === 1);
  if (named.length === 0) return { body: values.flat() };
  if (other !== undefined) {
    throw new UsageError(`--param ${quote(other[0])} has no name, but others have: give all one, or none`);
  }
  const names = named.map(([name]) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new UsageError(`--param ${quote(twice)} is given twice`);
  return { body: Object.fromEntries(named as [name: string, text: string][]) };
}

/** `name=value`, `=value`, or a value. Meta's names have small letters, digits and underscores. */
function parseParam(param: string): [text: string] | [name: string, text: string] {
  const at = param.indexOf("=");
  const isNamed = at > 0 && isName(param.slice(0, at));
  const text = at === 0 || isNamed ? param.slice(at + 1) : param;
  if (text === "") throw new UsageError(`--param ${quote(param)} is empty: Meta takes no empty parameter`);
  return isNamed ? [param.slice(0, at), text] : [text];
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
