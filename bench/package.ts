import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';

/** A deployment package with the code as `index.js`. */
export function packageOf(code: string): Promise<Buffer> {
  const zip = new ZipFile();
  zip.addBuffer(Buffer.from(code), 'index.js');
  zip.end();
  return buffer(zip.outputStream);
}
