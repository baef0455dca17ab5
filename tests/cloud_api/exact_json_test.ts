import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { parseExact } from "../../cloud_api/exact_json.ts";
import { withSeed } from "../support/support.ts";

const LONG = "90071992547409931";

describe("parseExact", () => {
  it("makes texts of integers that a double does not hold, with all their digits", () => {
    for (
      const [json, value] of [
        [LONG, LONG],
        [`-${LONG}`, `-${LONG}`],
        [`[${LONG},-${LONG}]`, [LONG, `-${LONG}`]],
        [`{"a":${LONG}}`, { a: LONG }],
        [`{"a" : \n ${LONG} }`, { a: LONG }],
        [`{"a":[[${LONG}]],"b":${LONG}}`, { a: [[LONG]], b: LONG }],
        ["9007199254740993", "9007199254740993"],
        ["1".repeat(400), "1".repeat(400)],
      ] as const
    ) {
      assertEquals(parseExact(json), value, json);
    }
  });

  it("leaves all other values as they are", () => {
    const texts = [
      LONG,
      `a ${LONG}`,
      `:${LONG}`,
      `,${LONG}`,
      `[${LONG}`,
      `\\":${LONG}`,
      `"${LONG}"`,
      `\\`,
      `\\"`,
      `-${LONG}`,
    ];
    const values = [
      ...texts,
      ...texts.map((text) => ({ [text]: text, after: 1 })),
      9007199254740991,
      -9007199254740991,
      1000000000000000,
      [1.5, -2e-7, 0, true, null, {}],
    ];
    for (const value of values) {
      const json = JSON.stringify(value);
      assertEquals(parseExact(json), JSON.parse(json), json);
      // The same beside a number that is quoted.
      assertEquals(parseExact(`[${json},${LONG}]`), [JSON.parse(json), LONG], json);
    }
    for (
      const json of [`${LONG}.5`, `-${LONG}.5`, `${LONG}e1`, `${LONG}E+2`, `0.${LONG}`, `1e-${LONG}`, `1.${LONG}e+10`]
    ) {
      assertEquals(parseExact(json), JSON.parse(json), json);
      assertEquals(parseExact(`[${json},${LONG}]`), [JSON.parse(json), LONG], json);
    }
  });

  it("finds them at any place, among digits in texts", () => {
    for (let before = 0; before < 40; before++) {
      const json = `{"a":"${"7".repeat(before)}","b":${LONG},"c":1}`;
      assertEquals(parseExact(json), { a: "7".repeat(before), b: LONG, c: 1 });
    }
  });

  it("takes nothing that is no JSON, though quotes would make it so", () => {
    for (const json of [`{${LONG}:1}`, `0${LONG}`, `-`, `[${LONG}`, `--${LONG}`, `{"a":+${LONG}}`, `${LONG}a`, ""]) {
      assertThrows(() => parseExact(json), SyntaxError);
    }
  });

  it("keeps each digit of random numbers, and all that stands beside them", () => {
    withSeed((random) => {
      for (let round = 0; round < 300; round++) {
        const digits = (): string => {
          const more = Array.from({ length: 14 + random.int(8) }, () => random.int(10)).join("");
          return `${random.pick(["", "-"])}${1 + random.int(9)}${more}`;
        };
        const expected: unknown[] = [];
        const items = Array.from({ length: 1 + random.int(20) }, () => {
          const number = digits();
          if (random.int(2) === 0) {
            expected.push(Number.isSafeInteger(Number(number)) ? Number(number) : number);
            return number;
          }
          const text = random.pick(["", '"', "\\", ":", ",", "[", " ", "é", "\u2028"]) + number +
            random.pick(["", '"']);
          expected.push(text);
          return JSON.stringify(text);
        });
        assertEquals(parseExact(`{"a":[${items.join(random.pick([",", " , ", "\n,\t"]))}]}`), { a: expected });
      }
    });
  });
});
