import { DEFLATE_CASES, type Difference, inCases, type Peer, type PeerProgram } from "../peer_lane/peer.ts";

/** The program of both roles. The library gives single frames: they are put together here. */
const PROGRAM = String.raw`
(require 'websocket)
(setq gnutls-verify-error t)
(setq network-security-level 'low)

(defvar peer-ended nil)
(defvar peer-type nil)
(defvar peer-parts nil)

(defun peer-on-message (websocket frame)
  (unless (eq (websocket-frame-opcode frame) 'continuation)
    (setq peer-type (websocket-frame-opcode frame) peer-parts nil))
  (push (websocket-frame-payload frame) peer-parts)
  (when (websocket-frame-completep frame)
    (let ((payload (apply #'concat (nreverse peer-parts))))
      (setq peer-parts nil)
      (if (and (eq peer-type 'text) (string-prefix-p "#close" payload))
          ;; The library sends no code.
          (websocket-close websocket)
        (websocket-send websocket (make-websocket-frame :opcode peer-type :payload payload :completep t))))))

(defun peer-on-close (_websocket)
  ;; The library does not tell the code.
  ;; Unlike "princ" it does not hold the text back.
  (send-string-to-terminal "closed\n")
  (setq peer-ended t))

(defun peer-on-error (_websocket type error)
  (message "%s: %s" type (websocket-format-error error)))

(defun peer-serve ()
  (when (getenv "PEER_CERT") (error "No TLS"))
  (websocket-server (string-to-number (getenv "PEER_PORT")) :host 'local
                    :on-message #'peer-on-message :on-close #'peer-on-close :on-error #'peer-on-error)
  (while t (accept-process-output nil 1)))

(defun peer-connect ()
  (when (getenv "PEER_CA") (setq gnutls-trustfiles (list (getenv "PEER_CA"))))
  (websocket-open (getenv "PEER_URL")
                  :on-message #'peer-on-message :on-close #'peer-on-close :on-error #'peer-on-error)
  (while (not peer-ended) (accept-process-output nil 1)))
`;

const FINDING = "elpa_websocket_close.sh";
const NO_COMPRESSION = inCases(DEFLATE_CASES, { seen: "not agreed", because: "the library has no compression" });
const NOT_ANSWERED: Difference = { seen: "no close frame", because: "it answers no close frame", finding: FINDING };
const NO_MASK: Difference = {
  seen: "broke a rule: ERR_MASK_REQUIRED",
  because: "a client's close frame is not masked",
  finding: FINDING,
};
const NO_CODE: Difference = { seen: "closed 1005", because: "the library refuses to send a code" };

const DIFFERS: PeerProgram["differs"] = {
  "20 MiB": { seen: "not played", because: "its time grows with the square of a message's size" },
  "close 1000": NOT_ANSWERED,
  "close 1001": NOT_ANSWERED,
  "close 3000": NOT_ANSWERED,
  "close 4999": NOT_ANSWERED,
  "close empty": NOT_ANSWERED,
  ...NO_COMPRESSION,
};

const COMMAND = ["emacs", "--batch", "--eval", "(package-initialize)", "--load", "peer.el", "--eval"];

export const PEER: Peer = {
  name: "elpa-websocket",
  version: "1.13",
  language: "Emacs Lisp",
  debian: ["elpa-websocket", "emacs-nox"],
  files: { "peer.el": PROGRAM },
  printVersion: "dpkg-query -W elpa-websocket",
  server: {
    command: [...COMMAND, "(peer-serve)"],
    differs: {
      ...DIFFERS,
      "its close 1000": NO_CODE,
      "its close 4999": NO_CODE,
      "TLS": { seen: "does not start", because: "the library has no server with TLS" },
    },
  },
  client: {
    command: [...COMMAND, "(peer-connect)"],
    differs: {
      ...DIFFERS,
      "its close 1000": NO_MASK,
      "its close 4999": NO_MASK,
      "its close empty": NO_MASK,
      "TLS": NOT_ANSWERED,
    },
  },
};
