let hanging = false

/** From now on nothing ends this process but SIGKILL: no cancel, no end of its input, no polite signal. */
export const hang = (): Promise<never> => {
  hanging = true
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => {})
  return new Promise(() => setInterval(() => {}, 60_000))
}

export const isHanging = (): boolean => hanging
