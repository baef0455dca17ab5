#!/bin/sh
# Makes the certificates and keys of the tests and the demo. They protect nothing: everybody has them.
#
# A CA and a leaf, since rustls refuses a CA as end entity. The pass phrase of every encrypted key is "secret".
set -eu
cd "$(dirname "$0")"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem \
  -subj "/CN=Tackline test CA" -days 36500 \
  -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign"

# leaf NAME CA: a leaf for loopback names, and its key.
leaf() {
  openssl genrsa -out "$1.key" 2048
  openssl req -new -key "$1.key" -subj "/CN=localhost" -out "$1.csr"
  printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1\n' > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 36500 -extfile "$1.ext" -out "$1.pem"
  rm "$1.csr" "$1.ext"
}
leaf leaf
leaf other
rm -f ca.key ca.srl

# The key of the leaf in every form that is taken, or refused by name.
pkcs8() { openssl pkcs8 -topk8 -in leaf.key -passout pass:secret -out "$@"; }
pkcs8 pkcs8-aes128-sha1.key -v2 aes-128-cbc -v2prf hmacWithSHA1
pkcs8 pkcs8-aes192-sha256.key -v2 aes-192-cbc -v2prf hmacWithSHA256
pkcs8 pkcs8-aes256-sha512.key -v2 aes-256-cbc -v2prf hmacWithSHA512
pkcs8 pkcs8-des3.key -v2 des3
pkcs8 pkcs8-scrypt.key -scrypt
pkcs8 pkcs8-camellia.key -v2 camellia-256-cbc
openssl rsa -traditional -in leaf.key -aes192 -passout pass:secret -out traditional-aes192.key
openssl rsa -traditional -in leaf.key -aes256 -passout pass:secret -out traditional-aes256.key
openssl rsa -traditional -in leaf.key -des3 -passout pass:secret -out traditional-des3.key
openssl rsa -traditional -in leaf.key -camellia128 -passout pass:secret -out traditional-camellia.key
openssl rsa -traditional -in leaf.key -out traditional.key
openssl ecparam -name prime256v1 -genkey -noout -out ec.key
openssl ec -in ec.key -aes128 -passout pass:secret -out traditional-ec.key
