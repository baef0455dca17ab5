import { assertEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { failureText, serverTlsText } from "../../transport/failure_text.ts";

/** An error as Deno and Bun throw them. */
function failure(message: string, code?: string): Error {
  return Object.assign(new Error(message), code === undefined ? {} : { code });
}

describe("failureText", () => {
  it("has the same text for the errors of both runtimes", () => {
    const pairs: [deno: Error, bun: Error, text: string][] = [
      [
        failure("Connection refused (os error 111)", "ECONNREFUSED"),
        failure("Failed to connect", "ECONNREFUSED"),
        "nothing accepts connections there (ECONNREFUSED)",
      ],
      [
        failure("failed to lookup address information: Name or service not known"),
        failure("getaddrinfo ENOTFOUND nope.invalid", "ENOTFOUND"),
        "the host name is not known (ENOTFOUND)",
      ],
      [
        failure("failed to lookup address information: Temporary failure in name resolution"),
        failure("getaddrinfo EAI_AGAIN a", "EAI_AGAIN"),
        "the host name cannot be looked up now (EAI_AGAIN)",
      ],
      [
        failure("invalid peer certificate: UnknownIssuer"),
        failure("unable to verify the first certificate", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"),
        'the certificate of the server is not trusted: set "rootCertificateFile" to that of its authority',
      ],
      [
        failure('invalid peer certificate: certificate not valid for name "a"; certificate is only valid for …'),
        failure("Hostname/IP does not match certificate's altnames: …", "ERR_TLS_CERT_ALTNAME_INVALID"),
        "the certificate of the server is for other names",
      ],
      [
        failure("invalid peer certificate: certificate expired: verification time …"),
        failure("certificate has expired", "CERT_HAS_EXPIRED"),
        "the certificate of the server has expired",
      ],
      [
        failure("received corrupt message of type InvalidContentType"),
        failure("error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER", "EPROTO"),
        'the server does not speak TLS on this port: use "ws:", or "useSSL: false"',
      ],
      [
        failure("unexpected end of file"),
        failure("Client network socket disconnected before secure TLS connection was established", "ECONNRESET"),
        "the server has left inside the TLS handshake: perhaps it does not speak TLS on this port",
      ],
      [
        failure("received fatal alert: CertificateRequired"),
        failure("error:1000045c:SSL routines:OPENSSL_internal:TLSV1_ALERT_CERTIFICATE_REQUIRED", "EPROTO"),
        'the server wants a certificate of the client: set "certificateFile" and "certificateKeyFile"',
      ],
      [
        failure("received fatal alert: NoApplicationProtocol"),
        failure("error:10000460:SSL routines:OPENSSL_internal:TLSV1_ALERT_NO_APPLICATION_PROTOCOL", "EPROTO"),
        "the server does not speak HTTP/1.1 on this port (ALPN)",
      ],
    ];
    for (const [deno, bun, text] of pairs) assertEquals([failureText(deno), failureText(bun)], [text, text]);
  });

  it("has for a code the text of the action", () => {
    const text = (code: string, action: "connect" | "listen" | "read file"): string =>
      failureText(failure("x", code), action);
    assertEquals(text("EADDRINUSE", "listen"), "the port is in use already (EADDRINUSE)");
    assertEquals(text("EADDRINUSE", "connect"), "no local port is free (EADDRINUSE)");
    assertEquals(text("EADDRNOTAVAIL", "listen"), "this machine does not have the address (EADDRNOTAVAIL)");
    assertStringIncludes(text("EACCES", "listen"), "ports below 1024 need a privilege");
    assertEquals(text("EACCES", "read file"), "the process may not read it (EACCES)");
    assertEquals(text("EISDIR", "read file"), "it is a directory (EISDIR)");
    assertEquals(text("ENOENT", "read file"), "there is no such file (ENOENT)");
    // No TLS there.
    assertEquals(failureText(failure("unexpected end of file"), "read file"), "unexpected end of file");
  });

  it("leaves other errors their words, and adds their code", () => {
    const permission = 'Requires net access to "127.0.0.1:0", run again with the --allow-net flag';
    assertEquals(failureText(failure(permission)), permission);
    assertEquals(failureText(failure("Failed", "EWHATEVER")), "Failed (EWHATEVER)");
    assertEquals(failureText(failure("EWHATEVER: failed", "EWHATEVER")), "EWHATEVER: failed");
    assertEquals([failureText("text"), failureText(undefined)], ["text", "undefined"]);
    assertEquals(failureText(Object.assign(new Error("n"), { code: 7 })), "n");
  });
});

describe("serverTlsText", () => {
  it("names a client that does not speak TLS, in the words of each library", () => {
    const told = 'The client does not speak TLS, as this port does: it is to use "wss:"; or it is a proxy that ' +
      'sends the PROXY protocol: set "proxyProtocol", and list it in "trustedProxies"';
    const errors = [
      failure("error:1000009c:SSL routines:OPENSSL_internal:HTTP_REQUEST", "EPROTO"),
      failure("error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER", "EPROTO"),
      failure("received corrupt message of type InvalidContentType", "ERR_SSL_WRONG_VERSION_NUMBER"),
    ];
    for (const error of errors) assertEquals(serverTlsText(error), told);
    assertEquals(
      serverTlsText(failure("The peer left inside the TLS handshake")),
      "The peer left inside the TLS handshake",
    );
  });
});
