/** Service and operation of a path `…/service/{service}/operation/{operation}`. */
export function rpcPath(path: string): { readonly service: string; readonly operation: string } | undefined {
  const match = /\/service\/([A-Za-z0-9_.]+)\/operation\/([A-Za-z0-9_]+)$/.exec(path);
  return match ? { service: match[1]!, operation: match[2]! } : undefined;
}
