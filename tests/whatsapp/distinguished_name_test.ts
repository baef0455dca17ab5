import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { commonNameOf, hasCommonName, type SubjectForm } from "../../whatsapp/distinguished_name.ts";
import { OptionError } from "../../base/errors.ts";
import { WhatsAppServer } from "../../whatsapp.ts";

const NAME = "client.webhooks.fbclientcerts.com";

/** Subjects of real certificates as nginx (OpenSSL 3), the tool `openssl x509`, and other proxies write them. */
const ACCEPTED: [proxy: string, form: SubjectForm, subject: string][] = [
  ["nginx $ssl_client_s_dn", "rfc4514", `CN=${NAME},O=Meta Platforms\\, Inc.,L=Menlo Park,ST=California,C=US`],
  ["nginx, bytes beyond ASCII", "rfc4514", `CN=${NAME},O=M\\C3\\BCller,C=US`],
  ["nginx, two attributes in another relative name", "rfc4514", `CN=${NAME},OU=b+O=a,C=US`],
  ["nginx, an escaped CN within a value", "rfc4514", `CN=${NAME},O=a\\"\\,CN=evil.example\\,O=\\"b,C=US`],
  ["nginx $ssl_client_s_dn_legacy", "slashes", `/C=US/ST=California/L=Menlo Park/O=Meta Platforms, Inc./CN=${NAME}`],
  ["nginx legacy, an escaped slash", "slashes", `/C=US/O=x\\/CN=evil.example/CN=${NAME}`],
  ["nginx legacy, bytes beyond ASCII", "slashes", `/C=US/O=M\\xC3\\xBCller/CN=${NAME}`],
  ["HAProxy ssl_c_s_dn", "slashes", `/C=US/O=Meta Platforms, Inc./CN=${NAME}`],
  ["HAProxy ssl_c_s_dn(,0,rfc2253)", "rfc4514", `CN=${NAME},O=Meta Platforms\\, Inc.,C=US`],
  ["HAProxy ssl_c_s_dn(cn)", "commonName", NAME],
  ["Apache SSL_CLIENT_S_DN", "rfc4514", `CN=${NAME},O=Meta Platforms\\, Inc.,C=US`],
  ["Apache SSL_CLIENT_S_DN, LegacyDNStringFormat", "slashes", `/C=US/O=Meta Platforms, Inc./CN=${NAME}`],
  ["Apache SSL_CLIENT_S_DN_CN", "commonName", NAME],
  ["Caddy", "rfc4514", `CN=${NAME},O=Meta Platforms\\, Inc.,C=US,1.2.840.113549.1.9.1=#0c05614062632e`],
  ["Caddy, several units", "rfc4514", `CN=${NAME},OU=a+OU=b,O=M\u00c3\u00bcller`],
  ["Envoy", "rfc4514", `By=spiffe://a/b;Hash=00ff;Subject="CN=${NAME},O=Meta Platforms\\, Inc.,C=US";URI=spiffe://c/d`],
  ["Envoy, a quote within a value", "rfc4514", `Hash=00ff;Subject="CN=${NAME},O=a\\"b";DNS=a;DNS=b`],
  ["Envoy, the subject alone", "rfc4514", `Subject="CN=${NAME}"`],
  ["an AWS load balancer", "rfc4514", `CN=${NAME},O=Meta Platforms\\, Inc.,L=Menlo Park,ST=California,C=US`],
  ["an AWS load balancer, a test", "rfc4514", `CN=${NAME},OU=rootCA,O=mTLS,L=Seattle,ST=Washington,C=US`],
  ["any case of letters", "rfc4514", `cn=CLIENT.Webhooks.fbclientcerts.com`],
  ["the long name of the type", "rfc4514", `commonName=${NAME},O=x`],
  ["an escaped letter", "rfc4514", `CN=\\63lient.webhooks.fbclientcerts.com`],
];

const REFUSED: [why: string, form: SubjectForm, subject: string][] = [
  ["nothing", "rfc4514", ""],
  ["nothing", "slashes", ""],
  ["nothing", "commonName", ""],
  ["a common name without its type", "rfc4514", NAME],
  ["a subject where a common name is due", "commonName", `CN=${NAME}`],
  ["another name", "rfc4514", `CN=${NAME}.evil.example`],
  ["another name", "commonName", `${NAME}.evil.example`],
  ["a name cut by NUL", "rfc4514", `CN=${NAME}\\00.evil.example`],
  ["a name with a NUL", "rfc4514", `CN=${NAME}\0`],
  ["CN= in an escaped value", "rfc4514", `CN=evil.example,O=x\\,CN=${NAME},C=US`],
  ["CN= in a quoted value", "rfc4514", `CN=evil.example,O="x,CN=${NAME}"`],
  ["CN= in a quoted value, and no other", "rfc4514", `O="x,CN=${NAME}"`],
  ["CN= behind an unbalanced quote", "rfc4514", `O="x,CN=${NAME}`],
  ["a quoted value", "rfc4514", `CN="${NAME}"`],
  ["CN= within a value", "rfc4514", `O=x/CN=${NAME},C=US`],
  ["CN= within a value", "rfc4514", `O=CN=${NAME}`],
  ["a multi-valued relative name", "rfc4514", `CN=${NAME}+OU=y,O=x,C=US`],
  ["a multi-valued relative name", "rfc4514", `OU=y+CN=${NAME},O=x,C=US`],
  ["a multi-valued relative name", "slashes", `/C=US/O=x/OU=y+CN=${NAME}`],
  ["two common names", "rfc4514", `CN=${NAME},CN=evil.example,C=US`],
  ["two common names", "rfc4514", `CN=evil.example,CN=${NAME},C=US`],
  ["two common names", "rfc4514", `CN=${NAME},CN=${NAME}`],
  ["two common names", "slashes", `/CN=evil.example/CN=${NAME}`],
  ["two common names", "slashes", `/CN=${NAME}/CN=evil.example`],
  ["a common name hidden in another relative name", "rfc4514", `CN=${NAME},OU=a+CN=evil.example`],
  ["a common name hidden in another relative name", "slashes", `/OU=a+CN=evil.example/CN=${NAME}`],
  ["an object identifier", "rfc4514", `2.5.4.3=${NAME}`],
  ["an object identifier with its prefix", "rfc4514", `OID.2.5.4.3=${NAME}`],
  ["an object identifier beside a name", "rfc4514", `CN=${NAME},2.5.4.3=evil.example`],
  ["an object identifier beside a name", "rfc4514", `CN=${NAME},oid.2.5.4.3=#0c0165`],
  ["an object identifier beside a name", "slashes", `/2.5.4.3=evil.example/CN=${NAME}`],
  ["an object identifier with its prefix beside a name", "rfc4514", `CN=${NAME},OID.2.5.4.3=evil.example`],
  ["white space before another value", "rfc4514", `CN=${NAME},O= a`],
  ["white space behind another value", "rfc4514", `CN=${NAME},O=a ,C=US`],
  ["a NUL in another value", "rfc4514", `CN=${NAME},O=a\0`],
  ["no separator behind a hexadecimal value", "rfc4514", `CN=${NAME},O=#0c0161xL=b`],
  ["another first character", "slashes", `xCN=${NAME}`],
  ["a plus sign as the first character", "slashes", `+CN=${NAME}`],
  ["two subjects of Envoy, the last of which fits", "rfc4514", `Subject="CN=evil.example";Subject="CN=${NAME}"`],
  ["an unknown key of Envoy before a subject", "rfc4514", `Hash=0;X=1;Subject="CN=${NAME}"`],
  ["the long type beside the short one", "rfc4514", `CN=${NAME},commonName=evil.example`],
  ["an encoded value", "rfc4514", "CN=#0c0161"],
  ["a common name that is not the most specific", "rfc4514", `emailAddress=a@b.c,CN=${NAME},C=US`],
  ["a common name that is not the most specific", "rfc4514", `C=US,O=x,CN=${NAME}`],
  ["a common name that is not the most specific", "slashes", `/C=US/CN=${NAME}/emailAddress=a@b.c`],
  ["a common name that is not the most specific", "slashes", `/CN=${NAME}/O=x/C=US`],
  ["the other form", "rfc4514", `/C=US/O=x/CN=${NAME}`],
  ["the other form", "rfc4514", `/O=x/CN=${NAME}`],
  ["the other form", "rfc4514", `/CN=${NAME}`],
  ["the other form", "slashes", `CN=${NAME},C=US`],
  ["the other form", "slashes", `CN=${NAME}`],
  ["the other form", "slashes", `x/CN=${NAME}`],
  ["OpenSSL's form with spaces", "rfc4514", `C = US, O = x, CN = ${NAME}`],
  ["white space behind a separator", "rfc4514", `CN=${NAME}, O=x`],
  ["white space before a separator", "rfc4514", `CN=${NAME} ,O=x`],
  ["white space before a value", "rfc4514", `CN= ${NAME}`],
  ["white space around a type", "rfc4514", `CN =${NAME}`],
  ["a header sent twice", "rfc4514", `CN=${NAME}, CN=${NAME}`],
  ["another separator", "rfc4514", `CN=${NAME};O=x`],
  ["an empty relative name", "rfc4514", `CN=${NAME},`],
  ["an empty relative name", "rfc4514", `,CN=${NAME}`],
  ["an empty relative name", "rfc4514", `CN=${NAME},,O=x`],
  ["an empty relative name", "slashes", `/CN=${NAME}/`],
  ["an empty relative name", "slashes", `//CN=${NAME}`],
  ["a plus sign at the end", "rfc4514", `CN=${NAME}+`],
  ["no type", "rfc4514", `=${NAME}`],
  ["a type that is none", "rfc4514", `C N=${NAME}`],
  ["a type that is none", "rfc4514", `CN=${NAME},-a=b`],
  ["an escape that is none", "rfc4514", `CN=${NAME},O=\\z`],
  ["an escape that is none", "rfc4514", `CN=${NAME},O=\\4`],
  ["an escape that is none", "rfc4514", `CN=${NAME}\\`],
  ["a hexadecimal value that is none", "rfc4514", `CN=${NAME},O=#`],
  ["a hexadecimal value that is none", "rfc4514", `CN=${NAME},O=#abc`],
  ["a hexadecimal value that is none", "rfc4514", `CN=${NAME},O=#0c0161x`],
  ["an angle bracket", "rfc4514", `CN=${NAME},O=<a>`],
  ["a value with a slash", "slashes", `/C=US/O=x/y/CN=${NAME}`],
  ["a value with an escaped slash", "slashes", `/C=US/O=x\\/CN=${NAME}`],
  ["a backslash before an escaped slash", "slashes", `/C=US/O=x\\\\/CN=${NAME}`],
  ["a backslash", "slashes", `/C=US/O=x\\y/CN=${NAME}`],
  ["a hexadecimal escape that is none", "slashes", `/C=US/O=x\\xg0/CN=${NAME}`],
  ["a hexadecimal escape of a slash", "slashes", `/C=US/O=x\\x2fCN=${NAME}`],
  ["two elements of Envoy", "rfc4514", `Hash=0;Subject="CN=evil.example",Hash=1;Subject="CN=${NAME}"`],
  ["two elements of Envoy", "rfc4514", `Subject="CN=${NAME}",By=a`],
  ["two elements of Envoy", "rfc4514", `By=a,By=b;Subject="CN=${NAME}"`],
  ["two subjects of Envoy", "rfc4514", `Subject="CN=${NAME}";Subject="CN=evil.example"`],
  ["a subject of Envoy without quotes", "rfc4514", `Hash=0;Subject=CN=${NAME}`],
  ["no subject of Envoy", "rfc4514", `By=a;Hash=0;URI=CN=${NAME}`],
  ["a subject of Envoy that does not end", "rfc4514", `Subject="CN=${NAME}`],
  ["a subject of Envoy that does not end", "rfc4514", `Subject="CN=${NAME}\\"`],
  ["a subject within another value of Envoy", "rfc4514", `By="a;Subject="CN=${NAME}"`],
  ["an unknown key of Envoy", "rfc4514", `Hash=0;CN=${NAME}`],
  ["an empty subject of Envoy", "rfc4514", `Hash=0;Subject=""`],
  ["the other form within Envoy's", "rfc4514", `Hash=0;Subject="/C=US/CN=${NAME}"`],
  ["letters that have one case in Unicode only", "rfc4514", "CN=\\C3\\A4.example"],
];

describe("hasCommonName", () => {
  for (const [proxy, form, subject] of ACCEPTED) {
    it(`takes ${proxy}: ${subject}`, () => assertEquals(hasCommonName(subject, form, NAME), true));
  }

  for (const [why, form, subject] of REFUSED) {
    it(`refuses ${why}, as ${form}: ${JSON.stringify(subject)}`, () => {
      for (const name of [NAME, "", "e", "\u00c4.example"]) assertEquals(hasCommonName(subject, form, name), false);
    });
  }

  it("compares bytes beyond ASCII as UTF-8", () => {
    for (const subject of ["CN=M\\C3\\BCller", "CN=m\u00c3\u00bcller"]) {
      assertEquals(hasCommonName(subject, "rfc4514", "M\u00fcller"), true);
      assertEquals(hasCommonName(subject, "rfc4514", "M\u00dcller"), false);
    }
    assertEquals(hasCommonName("CN=M\u00fcller", "rfc4514", "M\u00fcller"), false);
  });

  it("reads values of any kind", () => {
    const values = [["a=b", "a=b"], ["\\ a\\ ", " a "], ["\\#a", "#a"], ["a#b", "a#b"], ["a b", "a b"], [
      "\\2C\\2b",
      ",+",
    ]];
    for (const [text, value] of values) assertEquals(commonNameOf(`CN=${text},O=`, "rfc4514"), value);
  });
});

describe("clientCertificateForm", () => {
  it("must be a known form", () => {
    const form = "guess" as SubjectForm;
    assertThrows(() => new WhatsAppServer({ clientCertificateForm: form }), OptionError, "clientCertificateForm");
    const server = new WhatsAppServer();
    assertEquals(server.clientCertificateForm, "rfc4514");
    assertThrows(() => server.clientCertificateForm = form, OptionError, '"rfc4514" or "slashes" or "commonName"');
    server.clientCertificateForm = "slashes";
    assertEquals(server.clientCertificateForm, "slashes");
  });
});
