delete from ops.checkpoint where source = ? and topic = ? and partition = ?
