// Where things stand in a row (core/domain/order.ts), for the few places that read rows that nobody has checked.
export const ORDER_USER = 1;
export const ORDER_ID = 2;
export const ORDER_FINGERPRINT = 3;
export const ORDER_ACCEPTED_AT = 4;
export const ORDER_SALE = 5;
export const ORDER_SEQ = 6;
