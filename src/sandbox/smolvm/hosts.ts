/** The host as a guest may see it: over TSI its loopback is the host's, else the gateway has a name. */
export const LOOPBACK = "127.0.0.1"
export const GATEWAY = "host.smolvm.internal"
