import pino, { type Logger } from 'pino';

/** The product's log: JSON lines on standard output, written without waiting. No token and no payload is ever given to it. */
export function openLog(level: string): Logger {
  const redact = ['req.headers.authorization', 'headers.authorization', 'authorization', 'token'];
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, redact },
    pino.destination({ dest: 1, sync: false }),
  );
}
