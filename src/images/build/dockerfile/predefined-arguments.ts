const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'];
const PROXY_ARGUMENTS: ReadonlySet<string> = new Set([...PROXIES, ...PROXIES.map((name) => name.toLowerCase())]);

/** Build arguments that RUN sees without an ARG, and that the history and the cache do not know. Source: "Predefined ARGs". */
export function isProxyArgument(name: string): boolean {
  return PROXY_ARGUMENTS.has(name);
}

export interface PlatformName {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** `TARGETPLATFORM` and its kin: global arguments that a stage sees after an ARG. Source: "Automatic platform ARGs in the global scope". */
export function platformArguments(build: PlatformName, target: PlatformName): Readonly<Record<string, string>> {
  const parts = (prefix: string, { os, architecture, variant = '' }: PlatformName) => ({
    [`${prefix}PLATFORM`]: [os, architecture, variant].filter((part) => part !== '').join('/'),
    [`${prefix}OS`]: os,
    [`${prefix}ARCH`]: architecture,
    [`${prefix}VARIANT`]: variant,
  });
  return { ...parts('BUILD', build), ...parts('TARGET', target) };
}
