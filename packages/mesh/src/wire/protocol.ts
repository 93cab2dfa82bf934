/** Numbers of the protocol between nodes (decision 0072): they never change. */

export const wireVersion = 1;

/** What a frame is. */
export const FrameType = Object.freeze({
  Hello: 1,
  Proof: 2,
  Welcome: 3,
  Define: 4,
  Request: 16,
  RequestMore: 17,
  Cancel: 18,
  Credit: 19,
  Answer: 32,
  AnswerMore: 33,
  Failure: 34,
  Item: 35,
  End: 36,
  Ping: 48,
  Pong: 49,
  Goodbye: 50,
  About: 51,
});

/** Length, type, number of the call. */
export const headBytes = 9;

/** Of a payload in one frame. */
export const pieceBytes = 65_536;

/** What may follow the length of a frame. */
export const frameBytesMax = pieceBytes + 3072;

/**
 * Payloads of one side that have begun and not ended. Who receives keeps at most so many messages
 * of the longest kind, of requests and of answers each.
 */
export const partialMessagesMax = 4;

/** Flags of a payload. */
export const PayloadFlag = Object.freeze({
  /** The last piece; an only one is the last. */
  Last: 1,
  /** There is none: `undefined`. */
  None: 2,
});

/** Flags of a request, beside those of its payload. */
export const RequestFlag = Object.freeze({ Trace: 4, Key: 8, Stream: 16, Correlation: 32 });

/** Characters of a correlation id, as in an event's headers. */
export const correlationLengthMax = 255;

/** Characters of a `tracestate`: so many must be passed on (W3C Trace Context, 3.3.1.5). */
export const stateLengthMax = 512;

/** Milliseconds left of a call that nothing ends. */
export const endless = 0xffff_ffff;
