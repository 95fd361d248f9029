/*-------------------------------------------------------------------------
 *
 * textarray.c
 *		Arrays of texts, as C strings.
 *
 * All in the current memory context.
 *
 * Locking: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/textarray.h"

/*
 * The strings of a text array, NULL for nulls.
 */
char **
textarray_read(Datum array, int *n)
{
	Datum	   *elems;
	bool	   *nulls;
	char	  **strings;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false,
					  TYPALIGN_INT, &elems, &nulls, n);
	strings = palloc(sizeof(char *) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
		strings[i] = nulls[i] ? NULL : TextDatumGetCString(elems[i]);
	return strings;
}

/*
 * A text array of these strings, of which NULL ones become nulls.
 */
Datum
textarray_make(char **strings, int n)
{
	Datum	   *elems = palloc(sizeof(Datum) * Max(n, 1));
	bool	   *nulls = palloc(sizeof(bool) * Max(n, 1));
	int			dims[1] = {n};
	int			bounds[1] = {1};

	for (int i = 0; i < n; i++)
	{
		nulls[i] = strings[i] == NULL;
		elems[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(strings[i]);
	}
	return PointerGetDatum(construct_md_array(elems, nulls, n > 0 ? 1 : 0,
											  dims, bounds, TEXTOID, -1,
											  false, TYPALIGN_INT));
}
