/** One line per change, nothing at rest. Fields are flat: group, pod, token, reason, milliseconds. */
export type Log = {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
};

export type LogFields = Readonly<Record<string, unknown>>;
