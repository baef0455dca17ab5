/** Reads the JUnit reports of `deno test` and `bun test`, which nest what is grouped in different ways. */

/** Tests of a report: their full names, in the same form from both runtimes. */
export interface Report {
  passed: string[];
  failed: string[];
  skipped: string[];
}

const TAG = /<(\/?)(testsuite|testcase|skipped|failure|error)\b([^>]*?)(\/?)>/g;

export function readReport(xml: string): Report {
  const report: Report = { passed: [], failed: [], skipped: [] };
  const suites: string[] = [];
  let test = "";
  let outcome: keyof Report = "passed";
  for (const [, closing, tag, attributes, empty] of xml.matchAll(TAG)) {
    const [opens, closes] = [closing === "", closing !== "" || empty !== ""];
    if (tag === "testsuite") {
      if (opens) suites.push(nameIn(attributes!));
      if (closes) suites.pop();
    } else if (tag === "testcase") {
      // The outermost suite is the file.
      if (opens) [test, outcome] = [[...suites.slice(1), nameIn(attributes!)].join(" > "), "passed"];
      if (closes) report[outcome].push(test);
    } else if (opens) outcome = tag === "skipped" ? "skipped" : "failed";
  }
  return report;
}

/** Takes what a skipped test lacks out of its name: `Chromium [needs Chromium] > …`. */
export function parseNeeds(test: string): { name: string; needs: string[] } {
  const marks = [...test.matchAll(/ \[needs ([^\]]*)\]/g)];
  const name = marks.reduce((rest, [mark]) => rest.replace(mark, ""), test);
  return { name, needs: marks.flatMap(([, list]) => list!.split(", ")) };
}

function nameIn(attributes: string): string {
  return unescapeXml(/\bname="([^"]*)"/.exec(attributes)?.[1] ?? "");
}

function unescapeXml(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll(/&(apos|#39);/g, "'")
    .replaceAll("&#10;", "\n").replaceAll("&amp;", "&");
}
