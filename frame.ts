/**
 * The codec of RFC 6455 and RFC 7692, without I/O: frames, messages, the opening handshake, compression, masking and
 * UTF-8. For programs that work with frames themselves, or carry a WebSocket over a transport other than a socket.
 *
 * @example A frame to bytes and back
 * ```ts
 * import { decodeFrame, encodeFrame, Opcode } from "@tackline/websocket/frame";
 *
 * const bytes = encodeFrame({ opcode: Opcode.Text, payload: new TextEncoder().encode("Hello") });
 * const decoded = decodeFrame(bytes);
 * console.log(decoded?.bytesRead); // 7
 * ```
 *
 * @module
 */

export { decodeFrame, encodeFrame, FrameDecoderStream, FrameEncoderStream, FrameParser } from "./protocol/frame.ts";
export type {
  DecodedFrame,
  EncodeFrameOptions,
  Frame,
  FrameEncoderStreamOptions,
  FrameHandler,
  FrameHeader,
  FrameParserOptions,
} from "./protocol/frame.ts";
export {
  frameHeaderLength,
  MAX_CONTROL_PAYLOAD,
  maxFramePayload,
  Opcode,
  ReservedBit,
} from "./protocol/frame_header.ts";
export type { FrameInfo, Role } from "./protocol/frame_header.ts";
export { MessageAssembler, parseClosePayload } from "./protocol/message.ts";
export type { CloseStatus, InflateMeter, MessageAssemblerOptions, MessageHandler } from "./protocol/message.ts";
export { encodeClosePayload, MAX_CLOSE_REASON } from "./protocol/payload.ts";
export type { MessageData } from "./protocol/payload.ts";
export {
  acceptKey,
  checkUpgradeRequest,
  checkUpgradeResponse,
  createKey,
  encodeUpgradeRequest,
  encodeUpgradeResponse,
  wantsWebSocket,
} from "./protocol/handshake.ts";
export type {
  UpgradeAgreement,
  UpgradeAnswer,
  UpgradeChecks,
  UpgradeOffer,
  UpgradeRequest,
} from "./protocol/handshake.ts";
export { formatExtensions, parseExtensions } from "./protocol/extensions.ts";
export type { Extension } from "./protocol/extensions.ts";
export { encodeHead, HeaderFields, HeadReader, parseRequestLine, parseStatusLine } from "./protocol/head.ts";
export type { Head, HeadLimits, RequestLine, StatusLine } from "./protocol/head.ts";
export {
  acceptDeflateOffer,
  compressionSettings,
  makeDeflateOffer,
  MessageDeflater,
  MessageInflater,
  PERMESSAGE_DEFLATE,
  readDeflateAnswer,
} from "./protocol/deflate.ts";

export type { OutputSink } from "./protocol/raw_deflate.ts";
export { mask } from "./protocol/mask.ts";
export * from "./protocol/utf8.ts";
export { CloseCode, HandshakeError, OptionError, ProtocolError, WebSocketError } from "./base/errors.ts";
export type {
  BackplaneErrorCode,
  CertificateErrorCode,
  ConnectionClosedErrorCode,
  FlowEndpointErrorCode,
  HandlerErrorCode,
  HandshakeErrorCode,
  HttpErrorCode,
  JournalErrorCode,
  OptionErrorCode,
  ProtocolErrorCode,
  StateErrorCode,
  TransportErrorCode,
  WebSocketErrorCode,
  WebSocketErrorOptions,
  WhatsAppApiErrorCode,
} from "./base/errors.ts";
export type {
  CompressionOptions,
  CompressionSettings,
  DeflateAgreement,
  DeflateParameters,
} from "./protocol/compression.ts";
