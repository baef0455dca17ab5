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

# A second CA, for certificates of clients, of which one has expired and one has two names, and of a server of another name.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out client-ca.pem \
  -subj "/CN=Tackline test CA of clients" -days 36500 \
  -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign"
# signed NAME SUBJECT USAGE UNTIL NAMES: a certificate of the second CA, valid from 2020 on, and its key.
signed() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -subj "$2" -out "$1.csr"
  mkdir db && : > db/index.txt && openssl rand -hex 8 > db/serial
  printf '[ca]\ndefault_ca=c\n[c]\ndatabase=db/index.txt\nserial=db/serial\nnew_certs_dir=db\ndefault_md=sha256\n' > db/conf
  printf 'policy=p\n[p]\norganizationName=optional\ncommonName=supplied\n[e]\nbasicConstraints=CA:FALSE\n' >> db/conf
  printf 'keyUsage=digitalSignature\nextendedKeyUsage=%s\n%s\n' "$3" "$5" >> db/conf
  openssl ca -batch -config db/conf -cert client-ca.pem -keyfile ca.key -in "$1.csr" -startdate 20200101000000Z \
    -enddate "$4" -extensions e -notext -out "$1.pem"
  rm -r "$1.csr" db
}
signed client "/O=Tackline/CN=client.example" clientAuth 21000101000000Z ""
signed client-expired "/CN=client.example" clientAuth 20210101000000Z ""
signed client-names "/CN=client.example/CN=other.example" clientAuth 21000101000000Z ""
signed other-name "/CN=b.example" serverAuth 21000101000000Z "subjectAltName=DNS:b.example,DNS:*.c.example"
rm -f ca.key
openssl pkcs8 -topk8 -in client.key -passout pass:secret -out client-encrypted.key

# dated NAME FROM UNTIL: a self-signed leaf, valid from and until these times (YYYYMMDDHHMMSSZ).
dated() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -subj "/CN=localhost" -out "$1.csr"
  mkdir db && : > db/index.txt && echo 01 > db/serial
  printf '[ca]\ndefault_ca=c\n[c]\ndatabase=db/index.txt\nserial=db/serial\nnew_certs_dir=db\ndefault_md=sha256\npolicy=p\n' > db/conf
  printf '[p]\ncommonName=supplied\n[e]\nbasicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n' >> db/conf
  printf 'extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n' >> db/conf
  openssl ca -batch -config db/conf -selfsign -keyfile "$1.key" -in "$1.csr" -startdate "$2" -enddate "$3" \
    -extensions e -notext -out "$1.pem"
  rm -r "$1.csr" db
}
dated expired 20200101000000Z 20210101000000Z
dated self-signed 20200101000000Z 21000101000000Z

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
