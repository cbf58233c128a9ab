export { compileInput, type InputContext, type InputTransform, type TargetInput } from './compile-input.ts';
export { InvalidInputError } from './invalid-input-error.ts';
