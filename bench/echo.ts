import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';

/** The handler of the benchmarks: gives its event back. */
export const ECHO_HANDLER = 'exports.handler = async (event) => event;\n';

/** A deployment package with that handler as `index.handler`. */
export function echoPackage(): Promise<Buffer> {
  const zip = new ZipFile();
  zip.addBuffer(Buffer.from(ECHO_HANDLER), 'index.js');
  zip.end();
  return buffer(zip.outputStream);
}
