/**
 * Addresses of this machine.
 *
 * @module
 */

/**
 * Tells whether an address is on this machine only.
 *
 * @param hostname A host name or IP address.
 * @returns `true` for 127.0.0.0/8, ::1 and localhost.
 */
export function isLoopback(hostname: string): boolean {
  const name = hostname.toLowerCase();
  if (name === "localhost" || name === "::1" || name === "[::1]") return true;
  const octets = name.split(".");
  return octets.length === 4 && octets[0] === "127" && octets.every(isOctet);
}

function isOctet(text: string): boolean {
  if (text.length === 0 || text.length > 3) return false;
  for (let at = 0; at < text.length; at++) if (text[at]! < "0" || text[at]! > "9") return false;
  return Number(text) < 256;
}
