/*-------------------------------------------------------------------------
 *
 * parameter.h
 *		Parameters without a type, as keys.
 *
 * See parameter.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CACHE_PARAMETER_H
#define CACHE_PARAMETER_H

extern void parameter_init(void);

#endif							/* CACHE_PARAMETER_H */
