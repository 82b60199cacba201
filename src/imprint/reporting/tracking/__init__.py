"""Who hears beside the local files: Weights & Biases, TensorBoard, Lightning's CSV. One file each."""
