import pino, { type DestinationStream, type Logger } from 'pino';

/**
 * The product's log: JSON lines, on standard output unless told otherwise, written without waiting. No token and no
 * payload is ever given to it; what carries a token by mistake is struck out.
 */
export function openLog(level: string, to: DestinationStream = pino.destination({ dest: 1, sync: false })): Logger {
  const redact = ['req.headers.authorization', 'headers.authorization', 'authorization', 'token'];
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, redact }, to);
}
