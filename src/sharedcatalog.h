/*-------------------------------------------------------------------------
 *
 * sharedcatalog.h
 *		Transactions that change what all databases share.
 *
 * See sharedcatalog.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_SHAREDCATALOG_H
#define CACHE_SHAREDCATALOG_H

#include "postgres.h"

extern void sharedcatalog_begin_vacuum(void);
extern void sharedcatalog_end_vacuum(bool done);
extern bool sharedcatalog_is_changed(void);
extern void sharedcatalog_reset(void);

#endif							/* CACHE_SHAREDCATALOG_H */
