/** The Log port over pino: one JSON object per line on standard output. */
import { type DestinationStream, pino, stdSerializers, stdTimeFunctions } from 'pino';
import type { Log } from './ports/log.ts';

/**
 * Fields named `error` are written with their message, stack and cause. No pid, no host name: the pod's name is where
 * logs are collected. `destination`: for tests; by default standard output, written synchronously so that the last line
 * before an exit is not lost.
 */
export function createLog(options: {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly destination?: DestinationStream;
}): Log {
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      messageKey: 'message',
      errorKey: 'error',
      formatters: { level: (level) => ({ level }) },
      serializers: { error: stdSerializers.errWithCause },
    },
    options.destination ?? pino.destination({ dest: 1, sync: true }),
  );
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
  };
}
