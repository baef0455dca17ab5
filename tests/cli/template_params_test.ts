import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { UsageError } from "../../cli/io.ts";
import { templateComponents } from "../../cli/template_params.ts";

const body = (...parameters: object[]): object[] => [
  { type: "body", parameters: parameters.map((parameter) => ({ type: "text", ...parameter })) },
];

describe("templateComponents", () => {
  it("has none for a template without parameters", () => {
    assertEquals(templateComponents([], undefined), undefined);
  });

  it("tells names from values", () => {
    assertEquals(
      templateComponents(["a", "B=2", "1=2", "=x=1", "a b=c"], undefined),
      body(
        { text: "a" },
        { text: "B=2" },
        { text: "1=2" },
        { text: "x=1" },
        { text: "a b=c" },
      ),
    );
    assertEquals(
      templateComponents(["first_name=Anna", "n2=a=b"], undefined),
      body(
        { parameter_name: "first_name", text: "Anna" },
        { parameter_name: "n2", text: "a=b" },
      ),
    );
  });

  it("takes the components as JSON", () => {
    const components = [{ type: "button", sub_type: "url", index: "0", parameters: [{ type: "text", text: "x" }] }];
    assertEquals(templateComponents([], JSON.stringify(components)), components);
  });

  it("refuses what Meta would refuse", () => {
    const wrong: [params: string[], json: string | undefined, why: string][] = [
      [["name=Anna", "17"], undefined, '--param "17" has no name, but others have: give all one, or none'],
      [["name=Anna", "name=Bo"], undefined, '--param "name" is given twice'],
      [[""], undefined, '--param "" is empty'],
      [["name="], undefined, '--param "name=" is empty'],
      [["a"], "[]", "--param and --components cannot be used together"],
      [[], "[", "--components is no JSON"],
      [[], "{}", '--components is no array of objects: "{}"'],
      [[], "[null]", '--components is no array of objects: "[null]"'],
      [[], "[[]]", '--components is no array of objects: "[[]]"'],
    ];
    for (const [params, json, why] of wrong) assertThrows(() => templateComponents(params, json), UsageError, why);
  });
});
