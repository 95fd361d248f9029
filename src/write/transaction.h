/*-------------------------------------------------------------------------
 *
 * transaction.h
 *		What happens at the end of transactions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_TRANSACTION_H
#define CACHE_TRANSACTION_H

extern void transaction_init(void);

#endif							/* CACHE_TRANSACTION_H */
