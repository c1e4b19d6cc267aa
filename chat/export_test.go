package chat

// RemoveMemberOf is RemoveMember for a room and a user that were read before.
var RemoveMemberOf = (*Chat).removeMember
