export { parseScheduleExpression, type ScheduleExpressionOptions } from './parse-schedule-expression.ts';
export { InvalidScheduleError, type ScheduleExpression, type ScheduleKind } from './schedule-expression.ts';
