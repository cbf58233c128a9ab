export { createCodeDownloadFrontEnd } from './code-downloads.ts';
export { createFunctionUrlFrontEnd, type FunctionUrlFrontEndOptions } from './front-end.ts';
