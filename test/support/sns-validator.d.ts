/** AWS's validator of messages comes without types. */
declare module 'sns-validator' {
  export default class MessageValidator {
    validate(message: string | object, done: (error: Error | null, message?: Record<string, string>) => void): void;
  }
}
