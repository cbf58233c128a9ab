/** How this example's scripts reach AWS. */
export interface Connection {
  /** Where the AWS APIs are, e.g. `http://127.0.0.1:4566`. */
  readonly endpoint: string;
  /** The keys of the environment unless told. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Receives one line of text, without a newline. */
  readonly print: (line: string) => void;
}

/** Settings for a client of the AWS SDK. */
export function settingsOf({ endpoint, credentials }: Connection) {
  return {
    endpoint,
    region: process.env.AWS_REGION ?? 'us-east-1',
    credentials: credentials ?? {
      accessKeyId: process.env.AWS_ACCESS_KEY_ID ?? '000000000000',
      secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY ?? 'kobune',
    },
  };
}

/** The connection of the command line: `eval "$(kobune env)"` sets it. */
export const fromEnvironment: Connection = {
  endpoint: process.env.AWS_ENDPOINT_URL ?? 'http://127.0.0.1:4566',
  print: console.log,
};
