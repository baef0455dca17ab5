import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { UsageError } from "../../cli/io.ts";
import { templateValues } from "../../cli/template_params.ts";

describe("templateValues", () => {
  it("has none for a template without parameters", () => {
    assertEquals(templateValues([], undefined), {});
  });

  it("tells names from values", () => {
    assertEquals(templateValues(["a", "B=2", "1=2", "=x=1", "a b=c"], undefined), {
      body: ["a", "B=2", "1=2", "x=1", "a b=c"],
    });
    assertEquals(templateValues(["first_name=Anna", "n2=a=b"], undefined), {
      body: { first_name: "Anna", n2: "a=b" },
    });
  });

  it("takes the components as JSON", () => {
    const components = [{ type: "button", sub_type: "url", index: "0", parameters: [{ type: "text", text: "x" }] }];
    assertEquals(templateValues([], JSON.stringify(components)), { components });
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
    for (const [params, json, why] of wrong) assertThrows(() => templateValues(params, json), UsageError, why);
  });
});
