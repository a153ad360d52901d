/** The Log port over pino: one JSON object per line on standard output. */
import { type DestinationStream, type Logger, pino, stdSerializers, stdTimeFunctions } from 'pino';
import type { Log } from './ports/log.ts';

/**
 * Fields named `error` are written with their message, stack and cause. No pid, no host name: the pod's name is where
 * logs are collected. `destination`: where lines go; told how to say that some were dropped.
 */
export function createLog(options: {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly destination: (caughtUp: (dropped: number) => void) => DestinationStream;
}): Log {
  const logger: Logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      messageKey: 'message',
      errorKey: 'error',
      formatters: { level: (level) => ({ level }) },
      serializers: { error: stdSerializers.errWithCause },
    },
    // Errors may be among them, so it is one at every level.
    options.destination((lines) =>
      logger.error({ lines }, 'lines of the log were dropped: standard output was not read for a while'),
    ),
  );
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
  };
}
