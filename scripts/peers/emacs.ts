import type { Peer } from "../peer_lane/peer.ts";

/** The program of both roles, which differ in the last line. The library gives single frames: they are put together here. */
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
  (princ "closed\n")
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

const COMMAND = ["emacs", "--batch", "--eval", "(package-initialize)", "--load", "peer.el", "--eval"];

export const PEER: Peer = {
  name: "elpa-websocket",
  version: "1.13",
  language: "Emacs Lisp",
  debian: ["elpa-websocket", "emacs-nox"],
  files: { "peer.el": PROGRAM },
  printVersion: "dpkg-query -W elpa-websocket",
  server: { command: [...COMMAND, "(peer-serve)"] },
  client: { command: [...COMMAND, "(peer-connect)"] },
};
