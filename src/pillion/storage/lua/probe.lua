-- Do nothing: whether this user may run scripts at all.
--
-- returns 1
return 1
