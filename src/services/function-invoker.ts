import type { ServiceCaller } from './authorization.ts';

export interface InvokedFunction {
  /** `Unhandled` when the function failed. */
  readonly functionError: string | undefined;
  readonly payload: Uint8Array;
}

/** Functions for other services: implemented by Lambda. */
export interface FunctionInvoker {
  /** Runs a function and waits. Throws Lambda's own ServiceErrors (`ResourceNotFoundException`, `TooManyRequestsException`, …). */
  invoke(functionArn: string, payload: Uint8Array, caller: ServiceCaller): Promise<InvokedFunction>;
  /** True when the function is there and lets the caller invoke it. */
  permits(functionArn: string, caller: ServiceCaller): Promise<boolean>;
}
